import subprocess
import sys
from pathlib import Path

from rawshelf import catalog


def test_the_demo_shows_every_dataset(tmp_path: Path) -> None:
    """It writes, verifies, converts, loads and streams a miniature release of each."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "rawshelf", "demo", str(tmp_path / "demo")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert 0 == done.returncode, done.stderr
    for name in catalog.names():
        dataset = catalog.find(name)
        assert dataset.release.title in done.stdout
        built = sorted(path.name for path in (tmp_path / "demo" / name).glob("converted/data/*"))
        assert dataset.configs[0].name in built
        for config in built:
            assert f'converted", "{config}")' in done.stdout
    assert set(catalog.names()) == {path.name for path in (tmp_path / "demo").iterdir()}
