"""From a kernel in LLVM's language to a function that can be called, and the machine code kept on disk.

Machine code is kept by what it was made from: the sources of this package, the kernel's name, the
processor and LLVM's version. Nothing is lost where it cannot be kept: it is then made again in the next
process. What is read back is code that will run, and stands where its owner alone may write.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

from benign.caching import directory, is_own


@cache
def _target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple()
    return target.create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="default",
        jit=True,
    )


@cache
def _origin() -> bytes:
    """What all kernels depend on."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    version = ".".join(map(str, llvm.llvm_version_info))
    processor = llvm.get_host_cpu_name() + llvm.get_host_cpu_features().flatten()
    digest.update(f"{version} {llvm.get_process_triple()} {processor}".encode())
    return digest.digest()


def _kept(path: Path) -> bytes | None:
    """Machine code with its own digest before it, or None."""
    try:
        if not is_own(path.parent):
            return None
        content = path.read_bytes()
    except OSError:
        return None
    made = content[32:]
    return made if hashlib.sha256(made).digest() == content[:32] else None


def _keep(path: Path, made: bytes) -> None:
    """Under another name first: of two processes that write at once neither reads half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(made).digest() + made)
            Path(name).replace(path)
        except OSError:
            Path(name).unlink(missing_ok=True)
    except OSError:
        return


def _optimised(module: ir.Module) -> bytes:
    parsed = llvm.parse_assembly(str(module))
    parsed.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=2)
    tuning.loop_vectorization = tuning.slp_vectorization = False  # vectors are there already
    builder = llvm.create_pass_builder(_target(), tuning)
    builder.getModulePassManager().run(parsed, builder)
    return _target().emit_object(parsed)


_loaded: dict[str, Any] = {}
"""Functions by name, with what keeps their code in memory."""

_loading = Lock()


@cache
def _engine() -> Any:
    """What loads code.

    JITLink keeps the parts of an object together: apart by more than 2 GB, as they may come to lie in a
    large process, code would not reach its constants, and LLVM would abort.
    """
    _target()
    return llvm.create_lljit_compiler(use_jit_link=sys.platform != "win32")


def function(name: str, write: Callable[[ir.Module], None], kinds: tuple[Any, ...]) -> Any:
    """A function of ctypes, without a result; it runs without the interpreter's lock.

    Args:
        name: its name in the module, which says everything it was made for.
        write: defines it in an empty module.
        kinds: of ctypes, one an argument.
    """
    with _loading:
        if name not in _loaded:
            made = _made(name, write)
            linked = llvm.JITLibraryBuilder().add_object_img(made).export_symbol(name)
            library = linked.add_current_process().link(_engine(), name)
            _loaded[name] = ctypes.CFUNCTYPE(None, *kinds)(library[name]), library
    return _loaded[name][0]


def is_ready(name: str) -> bool:
    """Whether a function is there already, in this process or kept from an earlier one."""
    return name in _loaded or ((path := _path(name)) is not None and _kept(path) is not None)


def _path(name: str) -> Path | None:
    """Where the code of a function is kept, if it is kept at all."""
    where = directory("kernels")
    key = hashlib.sha256(_origin() + name.encode()).hexdigest()[:40]
    return None if where is None else where / f"{key}.o"


def _made(name: str, write: Callable[[ir.Module], None]) -> bytes:
    """Machine code, kept from an earlier process if there is some."""
    path = _path(name)
    made = None if path is None else _kept(path)
    if made is None:
        module = ir.Module(name)
        module.triple = llvm.get_process_triple()
        write(module)
        made = _optimised(module)
        if path is not None:
            _keep(path, made)
    return made
