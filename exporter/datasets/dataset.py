"""Datasets: what can be exported, each a name, validated parameters, and a `Select`.

A dataset is a declaration. It never runs a query and never sees a connection; the
source adapter compiles its `Select`, so parameters reach SQL as bound values only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel, ValidationError

from waybill.exporter.datasets.approval import Approval, ApprovalRule
from waybill.exporter.datasets.layout import Column, Decorate
from waybill.exporter.datasets.param_defaults import is_default
from waybill.exporter.datasets.principal import Principal
from waybill.exporter.datasets.sharding import Sharding
from waybill.exporter.datasets.template import Template
from waybill.exporter.datasets.texts import Text, localised_schema, text_in
from waybill.exporter.datasets.watermark import check_watermark
from waybill.exporter.errors import InvalidRequest, PermissionDenied, UnknownDataset
from waybill.exporter.filenames import check_pattern

P = TypeVar("P", bound=BaseModel)

#: What a dataset may return: a `Select`, or a read-only `text()` from an operator.
Query = sa.Select[Any] | sa.TextClause

#: Where the values of a parameter come from: a column of the dataset by its name, or a query for
#: the caller, with a column of values and, if it has two, one of their labels. The column is read
#: with the caller's rights and no filters; the query needs a condition for what a caller may not
#: see.
ChoicesOf = str | Callable[[Principal], sa.Select[Any]]

#: Rows above the headings of a sheet. All of them stay on the screen while the rows scroll.
MAX_ROWS_ABOVE = 100

#: The source a dataset reads unless it names another.
DEFAULT_SOURCE = "rows"


class NoParams(BaseModel, extra="forbid"):
    """A dataset without parameters."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """One exportable thing. Made by the `dataset` decorator, kept in a `Registry`."""

    name: str
    build: Callable[[Any, Principal], Query]
    params: type[BaseModel] = NoParams
    queue: str = "default"
    roles: Set[str] = frozenset()
    filename: str = "{name}-{today}"
    title: Text = ""
    columns: Mapping[str, Column] = field(default_factory=dict)
    #: Text parameters whose values people choose from those in the data.
    choices: Mapping[str, ChoicesOf] = field(default_factory=dict, kw_only=True)
    sheet_by: str | None = None
    decorate: Decorate | None = None
    #: Rows above the headings of an XLSX sheet, for `decorate`.
    rows_above: int = field(default=0, kw_only=True)
    #: What each XLSX sheet begins with: the first of the rows above its headings.
    template: Template | None = field(default=None, kw_only=True)
    about: bool = False
    reuse_for: timedelta = timedelta(0)
    #: The column that large exports may be split by: unique, never null, and sorted by it the rows
    #: are in the order they should have. None: the primary key of the only table, if there is one.
    key: str | None = None
    #: From which size on; what it leaves out is as the settings have it.
    sharding: Sharding = field(default=Sharding(), kw_only=True)
    #: Whether a row that was once there stays as it is, so that an export by `key` may go on in
    #: another snapshot.
    resumable: bool = field(default=False, kw_only=True)
    #: The name of the source it reads; an installation says which database that is.
    reads: str = DEFAULT_SOURCE
    #: Whether a file made with the rights of the first may be given to the second, where having
    #: one of the roles is not enough.
    may_share: Callable[[Principal, Principal], bool] = lambda _maker, _reader: True
    #: Whether a request has to say what the file is needed for.
    reason: bool = field(default=False, kw_only=True)
    #: Who has to agree before an export runs; None: nobody.
    approval: Approval | None = field(default=None, kw_only=True)
    #: A line that names the reader in every file: ``"For {user} only, {time}"``.
    watermark: str = field(default="", kw_only=True)
    #: Whether that line is also the first thing on each XLSX sheet.
    watermark_row: bool = field(default=False, kw_only=True)
    #: Whether each file has a password, so that a request has to ask for one.
    password: bool = field(default=False, kw_only=True)

    @property
    def is_personal(self) -> bool:
        """Whether a file is made for one person, and never given to another by Waybill itself."""
        return self.approval is not None or bool(self.watermark)

    @property
    def rows_above_headings(self) -> int:
        """How many rows an XLSX sheet has for its template and its hook."""
        return max(self.rows_above, self.template.rows if self.template else 0)

    @property
    def names_its_reader(self) -> bool:
        """Whether a file of it carries a watermark."""
        return bool(self.watermark)

    @property
    def sheets(self) -> tuple[Dataset, ...]:
        """The datasets that a workbook is made of; none for any other dataset."""
        return ()

    @property
    def named_roles(self) -> Set[str]:
        """All roles that give a right to something of it, but to single columns."""
        return self.roles

    def allows(self, user: Principal) -> bool:
        """Whether `user` has one of the required roles, or none is required."""
        return not self.roles or bool(self.roles & user.roles)

    def authorise(self, user: Principal, maker: Principal | None = None) -> None:
        """Raise `PermissionDenied` unless `user` may export this dataset.

        With `maker`, whose rights a file was made with: unless `user` may have that file.
        """
        if not self.allows(user) or (maker and not self.may_share(maker, user)):
            raise PermissionDenied(f"You may not export {self.name!r}.")
        if maker and any(
            column.is_open_to(maker) and not column.is_open_to(user)
            for column in self.columns.values()
        ):
            raise PermissionDenied("This file may hold columns that you may not see in full.")
        if maker and self.approval and (maker.tenant, maker.user) != (user.tenant, user.user):
            raise PermissionDenied("This file was approved for its owner only.")

    def hidden_from(self, user: Principal) -> frozenset[str]:
        """Names of the columns that do not exist for `user`."""
        return frozenset(n for n, column in self.columns.items() if column.is_hidden_from(user))

    def masked_for(self, user: Principal) -> frozenset[str]:
        """Names of the columns of which `user` sees masked values."""
        covered = frozenset(n for n, column in self.columns.items() if not column.is_open_to(user))
        return covered - self.hidden_from(user)

    def closed_params(self, user: Principal) -> frozenset[str]:
        """Parameters that filter by a column which `user` does not see in full.

        A parameter filters by the column of its name, or by the one that it names as
        ``json_schema_extra={"column": "salary"}``.
        """
        return frozenset(
            name
            for name, item in self.params.model_fields.items()
            if (column := self.columns.get(_column_of(name, item.json_schema_extra))) is not None
            and not column.is_open_to(user)
        )

    def open_choices(self, user: Principal) -> frozenset[str]:
        """The parameters of which `user` may see the values that are in the data."""
        closed = self.closed_params(user)
        return frozenset(
            name
            for name, source in self.choices.items()
            if name not in closed
            and self.approval is None
            and not (isinstance(source, str) and self._is_covered(source, user))
        )

    def choices_from(self, param: str) -> tuple[Dataset, ChoicesOf]:
        """The dataset that lists the values of `param`, and where it has them from."""
        return self, self.choices[param]

    def _is_covered(self, column: str, user: Principal) -> bool:
        return column in self.columns and not self.columns[column].is_open_to(user)

    def title_in(self, language: str) -> str:
        """The title in `language`; the name where there is none."""
        return text_in(self.title, language) or self.name

    @property
    def is_translated(self) -> bool:
        """Whether a file of it depends on the language of its reader."""
        columns = self.columns.values()
        has_several = not isinstance(self.title, str) or any(item.is_translated for item in columns)
        return self.about or has_several

    def params_schema(self, user: Principal, language: str) -> dict[str, Any]:
        """JSON Schema of the parameters that `user` may set, with its texts in `language`."""
        schema = localised_schema(self.params.model_json_schema(), language)
        closed = self.closed_params(user)
        properties = schema.get("properties", {})
        if closed & properties.keys():
            left = {name: item for name, item in properties.items() if name not in closed}
            schema = {**schema, "properties": left}
        return schema

    def parse(self, raw: Mapping[str, Any], user: Principal | None = None) -> BaseModel:
        """Validate `raw` with the dataset's model, and with `user` what that person may set.

        Raises:
            InvalidRequest: naming every field that is wrong, without echoing its value.
        """
        _refuse_unknown(set(raw) - set(self.params.model_fields))
        try:
            parsed = self.params.model_validate(dict(raw))
            if user is not None:
                # A task has every default filled in.
                fields, closed = self.params.model_fields, self.closed_params(user)
                _refuse_unknown(
                    {n for n in closed if not is_default(fields[n], getattr(parsed, n))}
                )
            return parsed
        except ValidationError as error:
            wrong = error.errors(include_input=False, include_url=False)
            closed = self.closed_params(user) if user is not None else frozenset()
            # What is wrong with a value would say that there is such a parameter.
            if named := {str(item["loc"][0]) for item in wrong if item["loc"]} & closed:
                raise _unknown(named) from None
            problems = {".".join(map(str, item["loc"])): item["msg"] for item in wrong}
            listed = "; ".join(f"{name or 'params'}: {why}" for name, why in problems.items())
            raise InvalidRequest(f"Bad parameter: {listed}.", params=problems) from None

    def query(self, params: BaseModel, user: Principal) -> Query:
        """The statement to read, for these parameters and this caller."""
        return self.build(params, user)


def _refuse_unknown(names: Set[str]) -> None:
    if names:
        raise _unknown(names)


def _unknown(names: Set[str]) -> InvalidRequest:
    return InvalidRequest(
        f"Unknown parameter: {', '.join(sorted(names))}.",
        params=dict.fromkeys(sorted(names), "There is no such parameter"),
    )


def _column_of(param: str, extra: Any) -> str:
    named = extra.get("column") if isinstance(extra, dict) else None
    return named if isinstance(named, str) else param


class Registry:
    """Datasets by name. One per process, filled at start, read-only afterwards."""

    def __init__(self, datasets: Mapping[str, Dataset] | None = None) -> None:
        self._datasets: dict[str, Dataset] = dict(datasets or {})

    def add(self, item: Dataset) -> None:
        """Register `item`; a second dataset of the same name is a programming error."""
        if item.name in self._datasets:
            raise ValueError(f"dataset {item.name!r} is declared twice")
        self._datasets[item.name] = item

    def __getitem__(self, name: str) -> Dataset:
        """The dataset called `name`, or `UnknownDataset` listing no other names."""
        try:
            return self._datasets[name]
        except KeyError:
            raise UnknownDataset(f"There is no dataset {name!r}.") from None

    def __iter__(self) -> Iterator[Dataset]:
        """All datasets in the order of their names."""
        return iter(sorted(self._datasets.values(), key=lambda item: item.name))

    @property
    def queues(self) -> tuple[str, ...]:
        """The work queues these datasets name, sorted, each once."""
        return tuple(sorted({item.queue for item in self}))


#: Filled by `@dataset`; the loader reads it after importing a module.
DECLARED = Registry()


def dataset(
    name: str,
    *,
    params: type[BaseModel] = NoParams,
    queue: str | None = None,
    roles: Set[str] = frozenset(),
    filename: str = "{name}-{today}",
    title: Text = "",
    columns: Mapping[str, Column] | None = None,
    choices: Mapping[str, ChoicesOf] | None = None,
    sheet_by: str | None = None,
    decorate: Decorate | None = None,
    rows_above: int = 0,
    template: str | Path | Template | None = None,
    about: bool = False,
    reuse_for: timedelta = timedelta(0),
    key: str | None = None,
    sharding: Sharding | None = None,
    resumable: bool = False,
    reason: bool = False,
    approval: Approval | ApprovalRule | str | None = None,
    watermark: str = "",
    watermark_row: bool = False,
    password: bool = False,
) -> Callable[[Callable[[Any, Principal], Query]], Dataset]:
    """Declare an export.

    The function below the decorator gets the validated parameters and the caller, and
    returns a `sqlalchemy.Select`. Its parameters become bound values; never format them
    into SQL. `queue` keeps slow types from blocking quick ones and defaults to the name.

    The function is called in the API and again in the worker, so it should be quick. Users of one
    tenant for whom it returns an equal query share one run and its file, and within `reuse_for` of
    the moment its rows were read, a finished file. So the query must contain a condition for
    everything a user may not see; lists taken from `user.roles` should be sorted, so that equal
    rights give equal queries. `about` and `decorate` files are never shared between users.

    `choices` names text parameters whose values people choose from those in the data, with the
    column or the query that has them: ``{"city": "city"}``.

    `rows_above` is how many rows of each XLSX sheet stay free above the headings, where `decorate`
    may write a title and a logo. `template` is an XLSX file whose first sheet stands there on each
    sheet: texts, fonts, fills, borders, merged cells, sizes and pictures. `rows_above` may be more
    than its rows. It is read now, by openpyxl (``waybill-exports[template]``).

    `key` names a column of the query that is unique and never null, an integer or a UUID. Several
    workers may then write one large export together, in the order of that column. Without it, that
    is the primary key of the only table that the query reads, on PostgreSQL. `sharding` says
    from which size on, or never: ``Sharding(from_rows=5_000_000)``, ``Sharding(never=True)``.

    `resumable` says that rows are only added, with larger keys, and never changed or deleted; or
    that the query asks for the state as of a moment in its parameters. Such an export goes on
    after the loss of every worker that wrote it. The trap: of rows that do change, the file then
    has some as of the first snapshot and some as of a later one, and only their number is checked.

    With `reason`, a request has to say what the file is needed for. With `approval`, an export
    waits until somebody else has approved it: somebody with that role, or for whom
    ``rule(person, request)`` is true. Such a dataset has no preview, and its files are for their
    owners only.

    `watermark` is a line such as ``"For {user} of {tenant} only, {time}"``, which is printed on
    each page of a workbook. Such a file is made for each user anew. With `watermark_row` it is also
    in a row of its own above the headings of each XLSX sheet, where everybody sees it.

    With `password`, each file is encrypted, and a request has to ask for a password.

    Raises:
        ValueError: `choices` names a parameter that there is not, `rows_above` is not 0 to 100,
            `watermark` cannot be filled in, there is none for `watermark_row`, or `template` cannot
            be used.
        InvalidRequest: `filename` holds another placeholder than ``{name}``, ``{today}`` and
            ``{filters}``; without the last, what the filters are is added at the end.
    """
    check_pattern(filename)
    check_watermark(watermark)
    if watermark_row and not watermark:
        raise ValueError("watermark_row needs a watermark")
    if not 0 <= rows_above <= MAX_ROWS_ABOVE:
        raise ValueError(f"rows_above is 0 to {MAX_ROWS_ABOVE}, not {rows_above}")
    if missing := set(choices or {}) - set(params.model_fields):
        raise ValueError(f"choices name parameters that there are not: {sorted(missing)}")

    head = Template.of(template)

    def declare(build: Callable[[Any, Principal], Query]) -> Dataset:
        item = Dataset(
            name=name,
            build=build,
            params=params,
            queue=queue or name,
            roles=frozenset(roles),
            filename=filename,
            title=title or name.replace("_", " ").title(),
            columns=dict(columns or {}),
            choices=dict(choices or {}),
            sheet_by=sheet_by,
            decorate=decorate,
            rows_above=rows_above,
            template=head,
            about=about,
            reuse_for=reuse_for,
            key=key,
            sharding=sharding or Sharding(),
            resumable=resumable,
            reason=reason,
            approval=Approval.of(approval),
            watermark=watermark,
            watermark_row=watermark_row,
            password=password,
        )
        DECLARED.add(item)
        return item

    return declare
