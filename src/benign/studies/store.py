"""The store of a study: a Zarr group (format 3) that xarray reads, written a batch at a time.

A batch is one chunk of every array. Chunks are replaced whole; that of `status` is written last, so
that a cell is done or not done. What is in a cell is a function of (seed, cell) alone: two clients that
write the same chunk write the same numbers (but for the seconds they took), and neither can spoil what
the other wrote.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from benign.errors import FileFormatError, OutputError
from benign.files import require_directory
from benign.opening import cause_of, shortened
from benign.studies.columns import DONE, LETTERS, STATUS, Column, columns
from benign.studies.definition import study_of
from benign.studies.extras import need
from benign.studies.grid import Batch, Grid
from benign.studies.study import Study
from benign.version import __version__

REASON = "reason"

PATIENCE = 30.0
"""Seconds that a store elsewhere is asked again before it is given up."""

T = TypeVar("T")


def is_elsewhere(address: str | os.PathLike[str]) -> bool:
    """Whether an address is fsspec's and no path of this machine."""
    return "://" in str(address)


class Store:
    """The store at an address.

    Args:
        address: a directory, or an address of fsspec such as s3://bucket/study.

    Raises:
        OutputError: the place cannot be had, or does not answer.
    """

    def __init__(self, address: str | os.PathLike[str]) -> None:
        self.address = str(address)
        zarr = need("zarr")
        if is_elsewhere(address):
            protocol = self.address.partition("://")[0]
            need({"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs"}.get(protocol, "fsspec"))
            with self._told():
                self._zarr = zarr.storage.FsspecStore.from_url(
                    self.address, storage_options={"skip_instance_cache": True}
                )
        else:
            self._zarr = zarr.storage.LocalStore(Path(self.address))

    # --- making and opening --------------------------------------------------------------------

    def prepare(self, study: Study) -> None:
        """Make the arrays, or see that they are those of the same study.

        Raises:
            OutputError: something else is there.
        """
        zarr = need("zarr")
        if not is_elsewhere(self.address):
            place = require_directory(self.address)
            own = (place / "zarr.json").exists()
            if place.is_dir() and not own and any(p.suffix != ".partial" for p in place.iterdir()):
                raise OutputError(
                    f"{shortened(self.address)}: something else is there; name another directory"
                )
        if found := self.about():
            if found["digest"] != study.digest:
                raise OutputError(
                    f"{shortened(self.address)}: holds another study, or another version of this one "
                    f"({found['study'].get('name', '')}); name another place"
                )
            return
        with self._told():
            self._make(study, zarr)

    def _make(self, study: Study, zarr: Any) -> None:
        grid = Grid(study)
        group = zarr.open_group(self._zarr, mode="a", zarr_format=3)
        names, shape = tuple(study.axes), study.shape
        for name, values in study.axes.items():
            kind = np.asarray(values)
            setting = study.settings.get(name)
            words = kind.dtype.kind == "U"
            array = self._array(
                group, name, shape=kind.shape, dtype=str if words else kind.dtype,
                chunks=(max(1, len(values)),), dimension_names=(name,),
                attributes={"long_name": setting.meaning, "units": setting.unit} if setting else {},
            )  # fmt: skip
            array[...] = kind.astype(object) if words else kind
        for column in (*columns(study.trains), STATUS):
            self._array(
                group, column.name, shape=shape, dtype=column.kind, chunks=grid.chunk,
                fill_value=column.fill, dimension_names=names, attributes=_attributes(column),
                config={"write_empty_chunks": True},
            )  # fmt: skip
        self._array(
            group, REASON, shape=(*shape, LETTERS), dtype="u1", chunks=(*grid.chunk, LETTERS),
            fill_value=0, dimension_names=(*names, "letter"),
            attributes={"long_name": "why a cell failed, in UTF-8"},
        )  # fmt: skip
        # Last: what has these is whole.
        group.attrs.update({"benign": __version__, "digest": study.digest, "study": study.document()})

    @staticmethod
    def _array(group: Any, name: str, **settings: Any) -> Any:
        if name in group:
            return group[name]
        try:
            return group.create_array(name, **settings)
        except Exception as error:
            if type(error).__name__ != "ContainsArrayError":
                raise
            return group[name]  # another client was quicker

    def about(self) -> dict[str, Any] | None:
        """What the store says of itself; None where there is none yet."""
        zarr = need("zarr")
        with self._told():
            try:
                group = self._again(lambda: zarr.open_group(self._zarr, mode="r", zarr_format=3))
            except FileNotFoundError:
                return None
            found = dict(group.attrs)
        return found if {"digest", "study"} <= set(found) else None

    def study(self, generator: Any = None) -> Study:
        """The study that is kept here.

        Raises:
            FileFormatError: there is none.
        """
        found = self.about()
        if found is None:
            raise FileFormatError(f"{shortened(self.address)}: holds no study")
        from benign.errors import BenignError

        try:
            return study_of(found["study"], generator or _placeholder(found["study"]))
        except BenignError as error:
            raise FileFormatError(f"{shortened(self.address)}: {error}") from error

    # --- batches -------------------------------------------------------------------------------

    def done(self, study: Study) -> set[tuple[int, ...]]:
        """The batches that are there, by their place.

        A store elsewhere may have lost what it had when it was started again: there a batch counts
        only if all its chunks are listed.
        """
        names = [STATUS.name]
        if is_elsewhere(self.address):
            names += [column.name for column in columns(study.trains)]
        with self._told():
            return set.intersection(*(self._again(lambda n=n: self._listed(n)) for n in names))

    def _listed(self, name: str) -> set[tuple[int, ...]]:
        if not is_elsewhere(self.address):
            root = Path(self.address) / name / "c"
            keys = [os.path.relpath(os.path.join(place, one), root)
                    for place, _, some in os.walk(root) for one in some]  # fmt: skip
            if root.is_file():  # no axis at all
                return {()}
        else:
            from zarr.core.sync import sync

            prefix = f"{name}/c"
            keys = [key[len(prefix) :].strip("/") for key in sync(_all(self._zarr.list_prefix(prefix)))]
        found = set()
        for key in keys:
            parts = key.split(os.sep if os.sep in key else "/") if key else []
            if all(part.isdecimal() for part in parts):
                found.add(tuple(map(int, parts)))
        return found

    def write(self, batch: Batch, values: dict[str, Any], status: Any, reasons: dict[int, str]) -> None:
        """A batch, `status` last.

        Args:
            values: of each column, one a cell.
            status: one a cell.
            reasons: of cells that failed, by their place in the batch.

        Raises:
            OutputError: it cannot be written.
        """
        letters = np.zeros((len(batch.cells), LETTERS), np.uint8)
        for i, text in reasons.items():
            said = np.frombuffer(text.encode()[:LETTERS], np.uint8)
            letters[i, : len(said)] = said

        def write() -> None:
            group = self._group("r+")
            for name, of_cells in values.items():
                group[name][batch.region] = np.asarray(of_cells).reshape(batch.shape)
            if reasons or self._has_reasons(batch):
                where = (*batch.region, slice(0, LETTERS))
                group[REASON][where] = letters.reshape(*batch.shape, LETTERS)
            group[STATUS.name][batch.region] = np.asarray(status, np.int8).reshape(batch.shape)

        with self._told():
            self._again(write)

    def read(self, batch: Batch, name: str) -> np.ndarray:
        """A column of a batch, one value a cell."""
        with self._told():
            return np.asarray(self._again(lambda: self._group("r")[name][batch.region])).reshape(-1)

    def _has_reasons(self, batch: Batch) -> bool:
        from zarr.core.sync import sync

        place = [part.start // max(1, part.stop - part.start) for part in batch.region]
        if is_elsewhere(self.address):
            return sync(self._zarr.exists("/".join([REASON, "c", *map(str, place), "0"])))
        return (Path(self.address) / REASON / "c").exists()

    def whole(self, name: str) -> np.ndarray:
        """A column of all cells."""
        with self._told():
            return np.asarray(self._again(lambda: self._group("r")[name][...]))

    def reason(self, cell: int, study: Study) -> str:
        """Why a cell failed."""
        place = tuple(int(i) for i in np.unravel_index(cell, study.shape)) if study.axes else ()
        with self._told():
            letters = np.asarray(self._again(lambda: self._group("r")[REASON][(*place, slice(None))]))
        return bytes(letters).rstrip(b"\0").decode(errors="replace")

    def counts(self) -> np.ndarray:
        """How many cells are missing, done, failed, late."""
        return np.bincount(self.whole(STATUS.name).reshape(-1), minlength=4)

    def unfinished(self, study: Study) -> set[tuple[int, ...]]:
        """The batches in which a cell failed, or was late."""
        grid = Grid(study)
        bad = np.argwhere(self.whole(STATUS.name) > DONE)
        return set(map(tuple, (bad // np.array(grid.chunk, int)).tolist()))

    def dataset(self) -> Any:
        """All of it, read when it is looked at: an `xarray.Dataset`.

        Raises:
            FileFormatError: there is no study here.
        """
        xarray = need("xarray")
        if self.about() is None:
            raise FileFormatError(f"{shortened(self.address)}: holds no study")
        with self._told():
            return xarray.open_zarr(self._zarr, consolidated=False, chunks=None, zarr_format=3)

    def _group(self, mode: str) -> Any:
        return need("zarr").open_group(self._zarr, mode=mode, zarr_format=3)

    # --- what can go wrong ---------------------------------------------------------------------

    def _again(self, ask: Callable[[], T]) -> T:
        """Ask a store elsewhere for a while: a server that is started again loses no study."""
        until = time.monotonic() + PATIENCE
        pause = 0.2
        while True:
            try:
                return ask()
            except (FileNotFoundError, KeyError):
                raise
            except Exception:
                if not is_elsewhere(self.address) or time.monotonic() + pause > until:
                    raise
                time.sleep(pause)
                pause = min(2 * pause, 5.0)

    @contextmanager
    def _told(self) -> Iterator[None]:
        name = shortened(self.address)
        try:
            yield
        except (OutputError, FileFormatError):
            raise
        except OSError as error:
            cure = "is the server there?" if is_elsewhere(self.address) else "free some space there"
            raise OutputError(
                f"{name}: cannot be read or written ({cause_of(error)}); {cure}; what is done is kept, "
                "and the same command goes on"
            ) from error
        except Exception as error:
            if not is_elsewhere(self.address):
                raise FileFormatError(f"{name}: no store of a study ({cause_of(error)})") from error
            raise OutputError(
                f"{name}: does not answer ({cause_of(error)}); is the server there? What is done is "
                "kept, and the same command goes on"
            ) from error


async def _all(keys: Any) -> list[str]:
    return [key async for key in keys]


def _attributes(column: Column) -> dict[str, Any]:
    made: dict[str, Any] = {"long_name": column.meaning, "units": column.unit}
    if column.words:
        made |= {"flag_values": list(range(len(column.words))), "flag_meanings": " ".join(column.words)}
    return made


def _placeholder(document: dict[str, Any]) -> Any:
    """For a study whose families come from a function that is not needed to read it."""
    from benign.studies.generators import GENERATORS

    kind = document.get("generator", {}).get("kind", "")
    if kind in GENERATORS:
        return None

    def generator(settings: Any, rng: Any) -> Any:
        from benign.errors import ProblemError

        raise ProblemError(f"generator: {kind} is a function; run the script that has it")

    generator.__module__, _, generator.__qualname__ = kind.rpartition(".")
    return generator
