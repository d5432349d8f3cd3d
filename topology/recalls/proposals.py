"""What an enforcement report would be as a notice of this hub, and what a person must look at before it is one. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from connectors.openfda.enforcement import Enforcement
from schemas.codes import NDC, CodeError, ndc_ten_digits, ndc_ten_of_gtin, normalise_lot, parse_ndc
from schemas.reference import Product, RecallNotice
from topology.errors import InputRefusedError
from topology.reference_files.lot_numbers import lot_fault

ONGOING: Final = "ongoing"


@dataclass(frozen=True, slots=True)
class Proposal:
    """A report with the products of the item master it concerns, what is unsure, and NDCs the item master does not have."""

    report: Enforcement
    products: tuple[str, ...]
    unknown_ndcs: tuple[str, ...]
    unsure: tuple[str, ...]


def propose(reports: Iterable[Enforcement], products: Sequence[Product], held: Sequence[RecallNotice]) -> list[Proposal]:
    """A proposal for each report, in order."""
    by_id = {notice.id: notice for notice in held}
    reports = list(reports)
    numbers = [report.number for report in reports]
    return [_proposal(report, products, by_id.get(report.number), numbers.count(report.number)) for report in reports]


def _proposal(report: Enforcement, products: Sequence[Product], held: RecallNotice | None, times: int) -> Proposal:
    described = [product.id for product in products if _is_one_of(product, report.described_ndcs)]
    listed = [product.id for product in products if _is_one_of(product, report.listed_ndcs) and product.id not in described]
    all_ndcs = tuple(dict.fromkeys((*report.described_ndcs, *report.listed_ndcs)))
    unknown = tuple(ndc for ndc in all_ndcs if not any(_is_one_of(product, (ndc,)) for product in products))
    unsure = list(report.lots.unsure)
    if listed:
        unsure.append(f"only openFDA's list names {', '.join(listed)}, not the description of what is recalled")
    if report.classification is None:
        unsure.append("FDA has not classified it: say --class")
    if report.status.lower() != ONGOING:
        unsure.append(f"its status is {report.status or 'not stated'}, not Ongoing")
    if report.issued is None:
        unsure.append("it has no usable report_date")
    if times > 1:
        unsure.append(f"the file has {times} records of this number that differ")
    if held is not None:
        unsure.append(f"a notice of this number is loaded already ({'released' if held.released else 'in force'})")
    return Proposal(report, (*described, *listed), unknown, tuple(unsure))


def _is_one_of(product: Product, ndcs: Sequence[str]) -> bool:
    return any(_is(product, ndc) for ndc in ndcs)


def _is(product: Product, ndc: str) -> bool:
    """Whether an NDC is the product's: by its own NDC, another NDC code of it, or the ten digits in its GTIN.

    One without a package segment is that of every package of the product.
    """
    package = ndc.count("-") == 2 or "-" not in ndc
    wanted = _canonical(ndc if package else f"{ndc}-00")
    if wanted is None:
        return False
    own = [product.ndc or "", *(code.value for code in product.codes if code.system == NDC)]
    for code in own:
        found = _canonical(code)
        if found is not None and (found == wanted if package else found[:10] == wanted[:10]):
            return True
    ten = ndc_ten_of_gtin(product.gtin or "")
    if ten is None or any(own):
        return False
    return ten == ndc_ten_digits(ndc) if package else ten.startswith(ndc.replace("-", "")) and len(ndc.replace("-", "")) in (8, 9)


def _canonical(ndc: str) -> str | None:
    try:
        return parse_ndc(ndc).canonical
    except CodeError:
        return None


def confirmed(
    proposals: Sequence[Proposal], number: str, *, by: str, lots: Sequence[str], all_lots: bool, classification: str | None,
    held: Sequence[RecallNotice],
) -> RecallNotice:  # fmt: skip
    """The notice a person confirms. Raises `InputRefusedError` with what is missing or speaks against it."""
    found = [one for one in proposals if one.report.number == number]
    _refuse(not found, f"the file has no record {number}")
    _refuse(len(found) > 1, f"the file has {len(found)} records {number} that differ: take the one that counts by itself")
    [proposal] = found
    report = proposal.report
    _refuse(not proposal.products, f"{number} concerns no product of the item master: nothing to block here")
    told = ", ".join(report.lots.lots) or "none was found"
    _refuse(bool(faults := [fault for fault in map(lot_fault, lots) if fault is not None]), f"--lots: {'; '.join(faults)}")
    _refuse(bool(lots) == all_lots, f"say which lots {number} covers, --lots A,B or --all-lots; in its text: {told}")
    class_ = classification or report.classification
    _refuse(class_ is None, f"FDA has not classified {number}: say --class I, II or III")
    _refuse(class_ not in ("I", "II", "III"), f"{class_} is no class of a recall: I, II or III")
    notice = RecallNotice(
        id=number, classification=class_, products=proposal.products, lots=tuple(lots),  # type: ignore[arg-type]  # was checked
        all_lots=all_lots, reason=f"{report.reason or 'no reason stated'} (openFDA, confirmed by {by})", issued=report.issued,
    )  # fmt: skip
    _keep_blocks(next((one for one in held if one.id == number), None), notice)
    return notice


def _keep_blocks(held: RecallNotice | None, new: RecallNotice) -> None:
    """A confirmation never lets go of what is blocked, and never lowers its class (21 CFR 7.3(m): I is the gravest)."""
    if held is None or held.released:
        return
    _refuse(
        len(new.classification) > len(held.classification),
        f"{new.id} is in force as class {held.classification}, and a confirmation never lowers it to class {new.classification}: "
        "to lower its class or release it, load the notice with `wardstock reference load`",
    )
    gone = set() if new.all_lots else {*map(normalise_lot, held.lots)} - {*map(normalise_lot, new.lots)}
    _refuse(
        bool(gone) or (held.all_lots and not new.all_lots) or not set(held.products) <= set(new.products),
        f"{new.id} is in force and covers more than this: to narrow or release it, load it with `wardstock reference load`",
    )


def _refuse(refused: bool, reason: str) -> None:
    if refused:
        raise InputRefusedError(reason)
