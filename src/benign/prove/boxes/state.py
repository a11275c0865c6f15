"""An unfinished proof in a file: NumPy arrays and a JSON header, no pickle, replaced in one move."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from benign.errors import FileFormatError, OutputError
from benign.exact.problem import problem_to_json
from benign.prove.boxes.minimisers import Minimiser
from benign.prove.boxes.tree import Boxes, Tree
from benign.results.enclosure import Enclosure

if TYPE_CHECKING:
    from benign.prove.boxes.branch_and_bound import Pavement

VERSION = 1


def digest(pavement: Pavement) -> str:
    """SHA-256 of what the proof is about: the problem, the frame and the level."""
    frame = pavement.frame
    said = {
        "problem": problem_to_json(pavement.problem),
        "centre": [str(x) for x in frame.centre],
        "axes": [[str(x) for x in row] for row in frame.axes],
        "level": pavement.level,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def save(pavement: Pavement, path: Path) -> None:
    """Write the state.

    Raises:
        OutputError: it cannot be written; what was there before is kept.
    """
    left, tree, points = pavement.left(), pavement.tree, pavement.minimisers
    header = {"version": VERSION, "digest": digest(pavement), "boxes": pavement.boxes}
    size = (len(points), pavement.p)
    content = io.BytesIO()
    np.savez_compressed(
        content,
        header=np.frombuffer(json.dumps(header).encode(), np.uint8),
        tags=tree.tags[: tree.count],
        first=tree.first[: tree.count],
        y=left.y,
        r=left.r,
        node=left.node,
        bound=left.bound,
        points_y=np.array([m.y for m in points]).reshape(len(points), 2, pavement.p),
        points_W=np.array([m.W for m in points]).reshape(len(points), 2, pavement.p),
        values=np.array([tuple(m.value) for m in points]).reshape(len(points), 2),
        around=np.array(
            [
                (node, next(i for i, m in enumerate(points) if m is point))
                for nodes, point in pavement.around
                for node in nodes
            ],
            np.int64,
        ).reshape(-1, 2),
        centres=np.array([m.centre for m in points]).reshape(size),
        radii=np.array([m.radius for m in points]).reshape(size),
    )
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content.getvalue())
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise OutputError(
            f"{path}: the state of the proof cannot be written ({error.strerror})"
        ) from error


def load(pavement: Pavement, path: Path) -> bool:
    """Go on from a state; whether it was that of this proof.

    A state is trusted as one's own file: it saves work and is not a certificate, which is proved again.

    Raises:
        FileFormatError: the file is no such state, or is cut short.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            header = json.loads(bytes(data["header"]).decode())
            if header["version"] != VERSION or header["digest"] != digest(pavement):
                return False
            arrays = {key: data[key] for key in data.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise FileFormatError(
            f"{path}: is no state of a proof, or was cut short; delete it to begin anew"
        ) from error
    pavement.tree = Tree(arrays["tags"].copy(), arrays["first"].copy(), len(arrays["tags"]))
    pavement.waiting = Boxes(arrays["y"], arrays["r"], arrays["node"], arrays["bound"])
    pavement.stuck = []
    pavement.boxes = int(header["boxes"])
    pavement.found.known = [
        Minimiser(y, W, Enclosure(float(v[0]), float(v[1])), centre, radius)
        for y, W, v, centre, radius in zip(
            arrays["points_y"],
            arrays["points_W"],
            arrays["values"],
            arrays["centres"],
            arrays["radii"],
            strict=True,
        )
    ]
    node, which = arrays["around"].T
    pavement.around = [(node[which == i], m) for i, m in enumerate(pavement.minimisers)]
    return True
