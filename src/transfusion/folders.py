"""Where things are kept: the models of the package, and what can be made again (translations, converted weights)."""

from __future__ import annotations

import os
from pathlib import Path

from transfusion.errors import ConfigError

BUILT_IN = Path(__file__).parent / "models"
"""The models that ship with the package, a folder each."""
VARIABLE = "TRANSFUSION_CACHE"
"""Environment variable that names another folder."""


def cache_folder() -> Path:
    """The folder for what can be made again; it need not exist yet.

    ``$TRANSFUSION_CACHE``, else ``$XDG_CACHE_HOME/transfusion``, else ``~/.cache/transfusion``. As the XDG Base
    Directory Specification has it, an empty variable counts as unset, and so does a relative ``XDG_CACHE_HOME``.

    :returns: The absolute path of the folder.
    :raises ConfigError: If no variable names a folder and this user has no home.
    """
    try:
        if named := os.environ.get(VARIABLE):
            return Path(named).expanduser().absolute()
        if (shared := Path(os.environ.get("XDG_CACHE_HOME", ""))).is_absolute():
            return shared / "transfusion"
        return Path.home() / ".cache" / "transfusion"
    except RuntimeError as error:
        raise ConfigError(f"no folder for caches: {error} Set {VARIABLE} to a folder that can be written") from error
