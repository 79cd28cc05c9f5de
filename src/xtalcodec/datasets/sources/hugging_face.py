"""Data sets of the Hugging Face hub, from their parquet files alone: no script of a data set is ever run."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xtalcodec.config import unknown
from xtalcodec.crystal import Crystal
from xtalcodec.datasets.rows import Columns
from xtalcodec.datasets.source import Progress, Source, SourceError, options_of, silent
from xtalcodec.io.limits import MAX_SITES
from xtalcodec.io.read import Unusable

if TYPE_CHECKING:
    from huggingface_hub import HfApi

CONVERTED = "refs/convert/parquet"
"""Branch on which the hub itself keeps a data set as parquet, in folders config/split."""
_OPTIONS = ("config", "split", "revision", *Columns.options)

Tables = dict[str, dict[str, list[str]]]
"""Config → split → its parquet files, in order."""


@dataclass(frozen=True, slots=True)
class HuggingFace(Source):
    """One split of one config of a data set; the hub's client keeps its files and goes on with them."""

    repository: str
    config: str | None
    """Part of the data set; needed where it has several and none is called `default`."""
    split: str
    """`train` if none is named."""
    revision: str | None
    """Branch, tag or commit; the newest if not given."""
    columns: Columns

    name = "hf"
    description = "A data set of the Hugging Face hub with a crystal in each row, from its parquet files."
    example = "hf:LeMaterial/LeMat-Bulk?config=compatible_pbe"
    licence = "the data set's own, on its page (LeMat-Bulk: CC BY 4.0)"
    size = "the data set's own (LeMat-Bulk: about 5 million, 2025)"
    citation = "the data set's own, on its page"

    @classmethod
    def parse(cls, query: str) -> "HuggingFace":
        """Read `owner/name?config=…&split=…&revision=…&structure=COLUMN&id=COLUMN`; all options may be left out."""
        repository, _, text = query.partition("?")
        if not re.fullmatch(r"[\w.-]+/[\w.-]+", repository):
            raise SourceError(f"{cls.name} needs a data set, as in {cls.example}, not {repository!r}")
        options = options_of(cls.name, text, _OPTIONS)
        columns = Columns(options.get("structure"), options.get("id"))
        return cls(repository, options.get("config"), options.get("split", "train"), options.get("revision"), columns)

    def stream(self, max_sites: int = MAX_SITES, progress: Progress = silent) -> Iterator[Crystal | Unusable]:
        """Yield the rows of file after file, each fetched when it is its turn; progress counts files."""
        from huggingface_hub import HfApi

        api = HfApi(endpoint=os.environ.get("HF_ENDPOINT"), library_name="xtalcodec")
        with self._told():
            commit, files = self._files(api)
        for done, file in enumerate(files, start=1):
            with self._told():
                path = Path(api.hf_hub_download(self.repository, file, repo_type="dataset", revision=commit))
            yield from self.columns.crystals(path, f"{self.name}:{self.repository}/{file}", max_sites)
            progress(done, len(files))

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn the hub's errors into one line; what has come of a file is kept, and the same line goes on."""
        from huggingface_hub.errors import GatedRepoError, HFValidationError, HTTPError

        try:
            yield
        except GatedRepoError as error:
            raise SourceError(f"{self.repository} asks you to agree on its page, then `hf auth login`") from error
        except (HTTPError, HFValidationError, OSError) as error:
            said = str(error).strip().splitlines() or [type(error).__name__]
            raise SourceError(f"the hub does not give {self.repository}: {said[-1][:200]}") from error

    def _files(self, api: "HfApi") -> tuple[str, list[str]]:
        """Return a commit, which fixes the content, and the parquet files of the config and split."""
        info = api.dataset_info(self.repository, revision=self.revision)
        own = sorted(file.rfilename for file in info.siblings or [] if file.rfilename.endswith(".parquet"))
        commit, tables = info.sha, _tables_of_card(info.card_data.to_dict() if info.card_data else {}, own)
        if not any(tables.values()) and self.revision is None:
            converted = api.dataset_info(self.repository, revision=CONVERTED)
            names = (file.rfilename for file in converted.siblings or [])
            commit, tables = converted.sha, _tables_of_folders(sorted(n for n in names if n.endswith(".parquet")))
        if not any(tables.values()):
            raise SourceError(f"{self.repository} has no parquet files that its card or the hub assign to a split")
        splits = tables.get(self._config(tables), {})
        if f"partial-{self.split}" in splits and self.split not in splits:
            raise SourceError(
                f"{self.repository}: the hub has only a part of {self.split!r} as parquet; "
                f"split=partial-{self.split} reads that part"
            )
        if self.split not in splits:
            raise SourceError(f"{self.repository}: {unknown('split', self.split, list(splits))}")
        return str(commit), splits[self.split]

    def _config(self, tables: Tables) -> str:
        if self.config is not None:
            if self.config not in tables:
                raise SourceError(f"{self.repository}: {unknown('config', self.config, list(tables))}")
            return self.config
        if len(tables) == 1 or "default" in tables:
            return "default" if "default" in tables else next(iter(tables))
        raise SourceError(f"{self.repository} has several configs, name one with ?config=: {', '.join(sorted(tables))}")


def _tables_of_card(card: dict[str, Any], files: list[str]) -> Tables:
    """Assign files to configs and splits by the patterns that the data set's card lists."""
    tables: Tables = {}
    for entry in card.get("configs") or []:
        parts = entry.get("data_files") or []
        parts = [{"split": "train", "path": parts}] if isinstance(parts, str) else parts
        splits = tables.setdefault(str(entry.get("config_name", "default")), {})
        for part in parts:
            split, patterns = (part["split"], part["path"]) if isinstance(part, dict) else ("train", part)
            for pattern in [patterns] if isinstance(patterns, str) else patterns:
                splits.setdefault(str(split), []).extend(file for file in files if fnmatch(file, str(pattern)))
    return {config: {split: own for split, own in splits.items() if own} for config, splits in tables.items()}


def _tables_of_folders(files: list[str]) -> Tables:
    """Assign files to configs and splits by their folders, as the hub lays them out."""
    tables: Tables = {}
    for file in files:
        if file.count("/") == 2:
            config, split, _ = file.split("/")
            tables.setdefault(config, {}).setdefault(split, []).append(file)
    return tables


SOURCE = HuggingFace
