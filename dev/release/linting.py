"""`make lint` and `make format`."""

from __future__ import annotations

import subprocess

from .. import tools
from ..console import run, say, step
from ..layout import ROOT


def lint() -> int:
    """Run the hooks of .pre-commit-config.yaml on all files, new ones included."""
    # `pre-commit --all-files` would leave out what is not added to git yet.
    listed = run(
        ("git", "ls-files", "--cached", "--others", "--exclude-standard"),
        cwd=ROOT,
        quiet=True,
        otherwise="git lists no files here: the hooks need a git clone.",
    )
    files = [name for name in listed.splitlines() if (ROOT / name).is_file()]
    pre_commit = tools.program("pre-commit")
    with step("Getting what the hooks need"):
        run(
            (pre_commit, "install-hooks"),
            cwd=ROOT,
            env=tools.environ(),
            otherwise="The linters could not be installed: check the network.",
        )
    done = subprocess.run(
        (pre_commit, "run", "--color=never", "--files", *files),
        cwd=ROOT,
        env=tools.environ(),
        check=False,
    )
    if done.returncode:
        say("`make format` repairs what ruff can.")
    return done.returncode


def format_code() -> int:
    """Let ruff sort imports and lay out the code."""
    ruff = tools.program("ruff")
    failure = "ruff could not read the code, see above."
    run((ruff, "check", "--fix", "--exit-zero", "."), cwd=ROOT, otherwise=failure)
    run((ruff, "format", "."), cwd=ROOT, otherwise=failure)
    return 0
