"""``/api/datasets``: the datasets that the caller may export."""

from __future__ import annotations

from fastapi import APIRouter

from waybill.api.context import ServicesDep
from waybill.api.datasets.schemas import DatasetBody, DatasetList
from waybill.api.http.admission import AdmittedRoute
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller
from waybill.exporter.formats.registry import FORMATS

router = APIRouter(prefix="/api/datasets", tags=["datasets"], route_class=AdmittedRoute)


@router.get("", response_model=DatasetList, responses=problem_docs(401))
def list_datasets(user: Caller, services: ServicesDep) -> DatasetList:
    """The datasets that the caller has a role for, with the JSON Schema of their parameters."""
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
