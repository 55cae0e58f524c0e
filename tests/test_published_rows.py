"""From a conversion through `rawshelf push` to what unmodified clients read of the repository.

All datasets, configs and splits. The files' footers and rows are the reference, as pyarrow reads
them from the conversion.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pyarrow.parquet as pq
import pytest
from huggingface_hub import DatasetCard

from rawshelf.cli import cli
from tests.hub import Hub
from tests.hub.client import online, run
from tests.outputs import digest, sha256
from tests.publishing import build, local
from tests.repositories import CONFIGS, NAMES, convert_parts, convert_sketch, finely_cut
from tests.test_streaming_exit import LIGHT

# Prints number and hash of the rows of each config and split, map-style and streaming.
READ = """
import json, sys
import datasets
from tests.outputs import digest

def stored(rows):
    for name, feature in rows.features.items():
        if isinstance(feature, datasets.Image):
            rows = rows.cast_column(name, datasets.Image(decode=False))
    return rows

repository, *configs = sys.argv[1:]
print(json.dumps([
    [config, split, streaming, *digest(stored(rows))]
    for config in configs
    for streaming in (False, True)
    for split, rows in datasets.load_dataset(repository, config, streaming=streaming).items()
]))
"""


class Published(NamedTuple):
    """A repository and where it comes from.

    Attributes:
        name: Of the dataset.
        out: The conversion.
        hub: The Hub.
        token: Of the repository's owner.
    """

    name: str
    out: Path
    hub: Hub
    token: str

    @property
    def repository(self) -> str:
        """Its name on the Hub."""
        return f"me/{self.name}"

    @property
    def configs(self) -> list[str]:
        """All configs of the dataset."""
        return [config for name, config in CONFIGS if name == self.name]

    def shards(self, config: str) -> dict[str, list[Path]]:
        """Return the files of each split of a config, in order."""
        found: dict[str, list[Path]] = {}
        for path in sorted((self.out / "data" / config).iterdir()):
            found.setdefault(path.name.partition("-")[0], []).append(path)
        return found

    @property
    def card(self) -> DatasetCard:
        """The card that is on the Hub, as the client reads it."""
        return DatasetCard(self.hub.files(self.repository)["README.md"].decode())


def rows_of(shards: list[Path]) -> int:
    """Return the number of rows, from the footers."""
    return sum(pq.read_metadata(path).num_rows for path in shards)


def bytes_of(shards: list[Path]) -> int:
    """Return the sizes of the files together."""
    return sum(path.stat().st_size for path in shards)


@pytest.fixture(scope="module", params=NAMES)
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Published]:
    """Convert a miniature with all configs, in many files, and push it."""
    folder = tmp_path_factory.mktemp("published")
    with finely_cut():
        out = {
            "spair71k": lambda: build("spair71k", folder),
            "imagenet_sketch": lambda: convert_sketch(folder),
            "partimagenet": lambda: convert_parts(folder),
        }[request.param]()
    with Hub() as hub, pytest.MonkeyPatch.context() as patch:
        found = Published(request.param, out, hub, hub.user("me"))
        patch.setenv("HF_TOKEN", found.token)
        with online(hub):
            arguments = ["push", str(out), found.repository, "--yes"]
            assert not cli.main(arguments, standalone_mode=False)
        assert local(out).items() <= hub.files(found.repository).items()
        yield found


def test_clients_read_the_rows_of_the_conversion(published: Published, tmp_path: Path) -> None:
    """`load_dataset` gives each row with each value, map-style and streaming."""
    expected = [
        [config, split, streaming, *digest(row for path in shards for row in pq_rows(path))]
        for config in published.configs
        for streaming in (False, True)
        for split, shards in published.shards(config).items()
    ]

    done = run(
        published.hub,
        READ,
        tmp_path,
        published.repository,
        *published.configs,
        token=published.token,
        **LIGHT,
    )

    assert 0 == done.returncode, done.stderr
    assert sorted(expected) == sorted(json.loads(done.stdout.splitlines()[-1]))
    assert any(len(s) > 1 for c in published.configs for s in published.shards(c).values())


def pq_rows(path: Path) -> Iterator[dict[str, object]]:
    """Yield the rows of a file."""
    yield from pq.read_table(path).to_pylist()


def test_the_repository_passes_the_lint(
    published: Published, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All that was pushed, as somebody who downloads it checks it."""
    for path, content in published.hub.files(published.repository).items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)

    assert 0 == cli.main(["card", "lint", str(tmp_path)], standalone_mode=False)
    assert f"{tmp_path}: 0 errors, 0 warnings\n" == capsys.readouterr().out


def test_the_front_matter_has_the_figures_of_the_footers(published: Published) -> None:
    """Rows and bytes of every split, and the bytes of every config."""
    infos = {info["config_name"]: info for info in published.card.data["dataset_info"]}

    assert set(published.configs) == set(infos)
    for config, info in infos.items():
        shards = published.shards(config)
        assert {split: (rows_of(own), bytes_of(own)) for split, own in shards.items()} == {
            split["name"]: (split["num_examples"], split["num_bytes"]) for split in info["splits"]
        }
        assert sum(map(bytes_of, shards.values())) == info["download_size"]


def test_the_tables_have_the_figures_of_the_footers(published: Published) -> None:
    """Rows by config and split, bytes by config; rows, bytes and hash of every file."""
    text = published.card.text
    files = [path for c in published.configs for s in published.shards(c).values() for path in s]

    assert {
        f"| `{path.relative_to(published.out).as_posix()}` | {rows_of([path]):,} "
        f"| {bytes_of([path]):,} | `{sha256(path)}` |"
        for path in files
    } == set(re.findall(r"^\| `data/.*", text, re.MULTILINE))
    for config in published.configs:
        [line] = re.findall(rf"^\| `{config}` \| ([\d,| ]+) \| (.+) \|$", text, re.MULTILINE)
        shards = published.shards(config)
        counts = [int(cell.replace(",", "")) for cell in line[0].split(" | ")]
        own = [rows_of(shards[s]) for s in ("train", "validation", "test") if s in shards]
        assert ([*own, sum(own)] if len(own) > 1 else own) == counts
        size = sum(map(bytes_of, shards.values()))
        shown = f"{size / 1e6:,.1f} MB" if size >= 10**6 else f"{size / 1e3:.1f} kB"
        assert shown == line[1]
