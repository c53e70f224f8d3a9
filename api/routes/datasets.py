"""``/api/datasets``: what the caller may export."""

from __future__ import annotations

from fastapi import APIRouter

from api.auth import Caller
from api.context import ServicesDep
from api.problems import problem_docs
from api.schemas import DatasetBody, DatasetList
from exporter.formats import FORMATS

router = APIRouter(prefix="/api/datasets", tags=["datasets"])


@router.get("", response_model=DatasetList, responses=problem_docs(401))
def list_datasets(user: Caller, services: ServicesDep) -> DatasetList:
    """The datasets whose roles the caller has, with the JSON Schema of their parameters."""
    return DatasetList(
        items=[
            DatasetBody(
                name=dataset.name,
                title=dataset.title or dataset.name,
                formats=list(FORMATS),
                params_schema=dataset.params.model_json_schema(),
            )
            for dataset in services.registry
            if dataset.allows(user)
        ]
    )
