"""``/api/datasets``: the datasets that the caller may export."""

from __future__ import annotations

from dataclasses import asdict

from fastapi import APIRouter

from waybill.api.context import ServicesDep
from waybill.api.datasets.schemas import ColumnBody, DatasetBody, DatasetList, SheetBody
from waybill.api.http.admission import AdmittedRoute
from waybill.api.languages import LanguageDep
from waybill.api.problems.documents import problem_docs
from waybill.api.session.auth import Caller
from waybill.exporter.datasets.dataset import Dataset
from waybill.exporter.datasets.principal import Principal
from waybill.infra.exports.dataset_columns import columns_seen
from waybill.infra.exports.plan import formats_of

router = APIRouter(prefix="/api/datasets", tags=["datasets"], route_class=AdmittedRoute)


@router.get("", response_model=DatasetList, responses=problem_docs(401))
def list_datasets(user: Caller, services: ServicesDep, language: LanguageDep) -> DatasetList:
    """The datasets that the caller has a role for: parameters as JSON Schema, and columns.

    Texts are in the language of `Accept-Language`, where the dataset has them.
    """
    return DatasetList(
        items=[
            DatasetBody(
                name=dataset.name,
                title=dataset.title_in(language),
                formats=formats_of(dataset),
                params_schema=dataset.params_schema(user, language),
                reason=dataset.reason,
                approval=dataset.approval is not None,
                password=dataset.password,
                watermark=dataset.names_its_reader,
                columns=_columns(dataset, user, language),
                sheets=[
                    SheetBody(
                        name=sheet.name,
                        title=sheet.title_in(language),
                        columns=_columns(sheet, user, language),
                    )
                    for sheet in dataset.sheets
                ],
            )
            for dataset in services.registry
            if dataset.allows(user)
        ]
    )


def _columns(dataset: Dataset, user: Principal, language: str) -> list[ColumnBody]:
    return [ColumnBody(**asdict(column)) for column in columns_seen(dataset, user, language)]
