"""Workbooks: several datasets in one file, each on sheets of its own, out of one snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import timedelta
from itertools import combinations
from typing import Any

from pydantic import BaseModel, create_model
from pydantic.fields import FieldInfo

from waybill.exporter.datasets.dataset import DECLARED, ChoicesOf, Dataset, Query
from waybill.exporter.datasets.layout import Decorate
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.texts import Text
from waybill.exporter.errors import PermissionDenied
from waybill.exporter.filenames import check_pattern


@dataclass(frozen=True, slots=True)
class Workbook(Dataset):
    """A dataset that has no rows of its own. Made by `workbook`."""

    parts: tuple[Dataset, ...] = ()

    @property
    def sheets(self) -> tuple[Dataset, ...]:
        """The datasets of its sheets, in their order."""
        return self.parts

    @property
    def named_roles(self) -> Set[str]:
        """Those of its datasets as well."""
        return frozenset(self.roles).union(*(part.named_roles for part in self.parts))

    @property
    def is_personal(self) -> bool:
        """Whether one of its datasets is."""
        return any(part.is_personal for part in self.parts)

    @property
    def names_its_reader(self) -> bool:
        """Whether one of its datasets has a watermark, which is on the sheets of that one."""
        return any(part.watermark for part in self.parts)

    def allows(self, user: Principal) -> bool:
        """Whether `user` may export it and every dataset in it."""
        return Dataset.allows(self, user) and all(part.allows(user) for part in self.parts)

    def authorise(self, user: Principal, maker: Principal | None = None) -> None:
        """As for a dataset; a workbook with a sheet that `user` may not have is refused."""
        if not Dataset.allows(self, user):
            raise PermissionDenied(f"You may not export {self.name!r}.")
        try:
            for part in self.parts:
                part.authorise(user, maker)
        except PermissionDenied:
            raise PermissionDenied(
                f"You may not export {self.name!r}: not every sheet of it."
            ) from None

    def closed_params(self, user: Principal) -> frozenset[str]:
        """What is closed in any of its datasets."""
        return frozenset[str]().union(*(part.closed_params(user) for part in self.parts))

    def open_choices(self, user: Principal) -> frozenset[str]:
        """What is open where the values come from, and closed nowhere."""
        found = {
            param
            for param in self.params.model_fields
            if (part := self._lister(param)) is not None and param in part.open_choices(user)
        }
        return frozenset(found - self.closed_params(user))

    def choices_from(self, param: str) -> tuple[Dataset, ChoicesOf]:
        """The first of its datasets that lists the values of `param`."""
        part = self._lister(param)
        if part is None:
            raise KeyError(param)
        return part.choices_from(param)

    def _lister(self, param: str) -> Dataset | None:
        return next((part for part in self.parts if param in part.choices), None)

    @property
    def is_translated(self) -> bool:
        """Whether it or one of its datasets depends on the language of its reader."""
        has_several = not isinstance(self.title, str)
        return self.about or has_several or any(part.is_translated for part in self.parts)


def workbook(
    name: str,
    *,
    sheets: Sequence[Dataset],
    queue: str | None = None,
    roles: Set[str] = frozenset(),
    filename: str = "{name}-{today}",
    title: Text = "",
    decorate: Decorate | None = None,
    about: bool = False,
    reuse_for: timedelta = timedelta(0),
) -> Workbook:
    """Declare an export of several datasets as one XLSX file.

    ::

        monthly = workbook("monthly", sheets=[orders, invoices], title="Monthly report")

    Each dataset keeps its rights, row rules, columns, masks and layout, and gets a sheet of its
    title, or several where its rows need them. All rows are those of one snapshot. Who may not
    export one of the datasets may not export the workbook. Parameters of one name are one
    parameter for every dataset that has it; the others belong to their dataset alone.

    `decorate` gets all data sheets, after each dataset's own hook got its own. `roles` are asked
    for in addition to those of the datasets.

    Raises:
        ValueError: a dataset is there twice, is a workbook itself or needs an approval, they read
            different sources, or a parameter means different things in two of them.
        InvalidRequest: `filename` has an unknown placeholder.
    """
    item = made_of(
        sheets,
        name=name,
        queue=queue or name,
        roles=frozenset(roles),
        filename=filename,
        title=title or name.replace("_", " ").title(),
        decorate=decorate,
        about=about,
        reuse_for=reuse_for,
    )
    DECLARED.add(item)
    return item


def made_of(sheets: Sequence[Dataset], *, name: str, filename: str, **more: Any) -> Workbook:
    """The workbook of these datasets, which no registry has yet; `more` as for `Dataset`.

    Raises:
        ValueError, InvalidRequest: as `workbook`.
    """
    check_pattern(filename)
    parts = tuple(sheets)
    if len({part.name for part in parts}) < max(len(parts), 2):
        raise ValueError(f"the workbook {name!r} needs two datasets or more, each once")
    if any(part.sheets for part in parts):
        raise ValueError(f"a sheet of the workbook {name!r} cannot be a workbook")
    if any(part.approval is not None for part in parts):
        raise ValueError(f"a sheet of the workbook {name!r} needs an approval of its own")
    if len({part.reads for part in parts}) > 1:
        raise ValueError(f"the datasets of the workbook {name!r} read different sources")
    return Workbook(
        name=name,
        build=_nothing,
        params=_joint_params(name, [part.params for part in parts]),
        filename=filename,
        reads=parts[0].reads,
        reason=any(part.reason for part in parts),
        password=any(part.password for part in parts),
        parts=parts,
        **more,
    )


def _nothing(_params: Any, _user: Principal) -> Query:
    raise TypeError("a workbook has no query of its own")


def _joint_params(name: str, models: Sequence[type[BaseModel]]) -> type[BaseModel]:
    """A model with the fields and the checks of all `models`; each of them takes its instances.

    Raises:
        ValueError: a field means different things in two of them.
    """
    for one, other in combinations(models, 2):
        for shared in one.model_fields.keys() & other.model_fields.keys():
            if _meaning(one.model_fields[shared]) != _meaning(other.model_fields[shared]):
                raise ValueError(
                    f"the workbook {name!r} has two parameters {shared!r} that differ in type, "
                    f"default or bounds: in {one.__name__} and {other.__name__}"
                )
    # A base comes behind the classes made of it, and each once. Fields of the last base come first.
    bases = tuple(
        model
        for model in dict.fromkeys(reversed(models))
        if not any(other is not model and issubclass(other, model) for other in models)
    )
    return create_model(f"{name.title().replace('_', '')}Params", __base__=bases)


def _meaning(field: FieldInfo) -> tuple[Any, ...]:
    default: Mapping[str, Any] | Any = (
        None
        if field.is_required()
        else field.get_default(call_default_factory=True, validated_data={})
    )
    return field.annotation, field.is_required(), default, repr(field.metadata)
