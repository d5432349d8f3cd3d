"""Which GS1 application identifiers belong together: what one needs beside it, and what it must not stand beside.

A package may bear its lot on a label of its own, so a scan that breaks these rules is still read; the findings say what is odd.
Source: GS1 Barcode Syntax Dictionary, release 2026-01-27, attributes `req` and `ex`; GS1 General Specifications §4.13, §4.14.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Final

from connectors.barcode.elements import Element

_TRADE: Final = "01 02"
_ITEM: Final = "01 02 8006 8026"
_BATCH: Final = "01 02 03 8006 8026"
_MEASURE: Final = "30 31nn 32nn 35nn 36nn"
_NEEDS: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("02", ("37",)), ("10 11 13 15 16", (_BATCH,)), ("12", ("8020",)), ("17", ("01 02 03 255 8006 8026",)),
    ("20 240 241 422 7001", (_ITEM,)), ("21", ("01 03 8006",)),
    ("22 235 243 710 711 712 713 714 715 716 717 8001 8014 8200", ("01",)),
    ("250", ("01 8006", "21")), ("251 7021 7240 8012", ("01 8006",)), ("254", ("414",)),
    ("30 310n 311n 312n 313n 314n 315n 316n 320n 321n 322n 323n 324n 325n 326n 327n 328n 329n", (_TRADE,)),
    ("350n 351n 352n 356n 357n 360n 361n 364n 365n 366n 423 424 425 426 7002 7003 7005 7006 7007 7008 7009 7010 7011", (_TRADE,)),
    ("7030 7031 7032 7033 7034 7035 7036 7037 7038 7039 8005 8008", (_TRADE,)), ("337n", ("01",)),
    ("330n 331n 332n 333n 334n 335n 336n 340n 341n 342n 343n 344n 345n 346n 347n 348n 349n", ("00 01",)),
    ("353n 354n 355n 362n 363n 367n 368n 369n 8009", ("00 01",)), ("37", ("00", "02 8026")), ("390n", ("255 8020",)),
    ("391n 415", ("8020",)), ("392n", ("01", _MEASURE)), ("393n 395n", (_MEASURE,)), ("394n 8111", ("255",)),
    ("403 7041", ("00",)),
    ("4300 4301 4302 4304 4305 4306 4307 4308 4309 4310 4311 4312 4314 4315 4316 4317 4318 4319", ("00",)),
    ("4320 4321 4322 4323 4324 4325 4326 4330 4331 4332 4333", ("00",)), ("4303", ("4302",)), ("4313", ("4312",)),
    ("427", (_TRADE, "422")), ("7004", ("01+10",)), ("7020", ("01 8006", "416")), ("7022", ("7021",)),
    ("7230 7231 7232 7233 7234 7235 7236 7237 7238 7239", ("01 8004",)), ("7241 7242 7253 7254 7255 7256 8019", ("8017 8018",)),
    ("7250 7251 7252 7257 7259", ("8018",)), ("7258", ("8018+7259",)), ("8007 8020", ("415",)), ("8011", ("8010",)),
    ("8026", ("37",)),
    ("8030", ("00 01+21 253 255 8003 8004 8006+21 8010+8011 8017 8018",)), ("8040", ("01+21",)),
    ("8041 8042 8043", ("01+21+8040",)),
)  # fmt: skip
"""AIs, and the groups of which each needs one: alternatives stand apart, `+` joins what is needed together, `n` is any digit."""

_NOT_BESIDE: Final[tuple[tuple[str, str], ...]] = (
    ("01", "255 37"), ("02", "01 03"), ("03", "01 02 37"), ("21", "235"), ("255", "01 02 415 8006 8020 8026"),
    ("390n", "391n 394n 8111"), ("392n", "393n"), ("394n", "8111"), ("395n", "392n 393n 8005"), ("420", "421"), ("421", "4307"),
    ("422 423 424 425", "426"), ("4330", "4331"), ("4332", "4333"), ("7250", "7251"), ("7253 7254 7255", "7256 7259"),
    ("7259", "7256"), ("8006", "01 37"), ("8017", "8018"), ("8026", "02 8006"),
)  # fmt: skip
"""AIs, and what must not stand in the same message. Two of one measure (`310n`) exclude each other as well."""

_SERIALISED: Final = {"253": 13, "255": 13, "8003": 14}
"""Keys that a digital signature (8030) needs with their serial part, and the length of the part before it."""


def association_faults(elements: Sequence[Element]) -> tuple[str, ...]:
    """What is odd about the combination, a clause each; empty when the elements belong together."""
    ais = [ai for ai, _ in elements]
    return (*_excluded(ais), *_missing(ais), *_unserialised(elements))


def _excluded(ais: Sequence[str]) -> Iterator[str]:
    for place, ai in enumerate(ais):
        for other in ais[place + 1 :]:
            if other != ai and (other in _excludes(ai) or ai in _excludes(other)):
                yield f"AI ({ai}) and AI ({other}) must not stand together"


def _missing(ais: Sequence[str]) -> Iterator[str]:
    present = frozenset(ais)
    for ai in ais:
        for group in _needs(ai):
            if not any(all(_is_present(part, present) for part in one.split("+")) for one in group.split()):
                yield f"AI ({ai}) needs one of {', '.join(group.split())} beside it"


def _is_present(pattern: str, present: frozenset[str]) -> bool:
    return any(_matches(pattern, ai) for ai in present)


def _unserialised(elements: Sequence[Element]) -> Iterator[str]:
    if any(ai == "8030" for ai, _ in elements):
        for ai, value in elements:
            if len(value) <= _SERIALISED.get(ai, -1):
                yield f"a digital signature (8030) needs AI ({ai}) with its serial part"


def _matches(pattern: str, ai: str) -> bool:
    return len(pattern) == len(ai) and all(one in ("n", other) for one, other in zip(pattern, ai, strict=True))


@lru_cache(maxsize=1024)
def _needs(ai: str) -> tuple[str, ...]:
    return next((groups for names, groups in _NEEDS if any(_matches(name, ai) for name in names.split())), ())


class _Excluded:
    """The AIs that one AI excludes."""

    def __init__(self, patterns: tuple[str, ...]) -> None:
        self._patterns = patterns

    def __contains__(self, ai: str) -> bool:
        return any(_matches(pattern, ai) for pattern in self._patterns)


@lru_cache(maxsize=1024)
def _excludes(ai: str) -> _Excluded:
    found = [others for names, others in _NOT_BESIDE if any(_matches(name, ai) for name in names.split())]
    is_measure = len(ai) == 4 and ai[:2] in ("31", "32", "33", "34", "35", "36", "39")
    return _Excluded(tuple(pattern for others in found for pattern in others.split()) + ((ai[:3] + "n",) if is_measure else ()))
