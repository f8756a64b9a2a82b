"""Where a file's sentences are."""

from pathlib import Path

from benchmarks.texts import draw_texts, read_pairs, read_texts


def test_sources_and_targets_are_the_last_columns(tmp_path: Path) -> None:
    """Others may stand before them; a file of one column has sources alone."""
    file = tmp_path / "probe.tsv"
    file.write_text("5-9\t2\tGood morning. Sit down.\tGuten Morgen. Setz dich.\nBye.\tTschüs.\nHello.\n", "utf-8")

    assert read_texts(file) == ["Good morning. Sit down.", "Bye.", "Hello."]
    assert [target for _, target in read_pairs(file)] == ["Guten Morgen. Setz dich.", "Tschüs.", ""]


def test_the_same_texts_are_drawn_each_time(tmp_path: Path) -> None:
    """They are shuffled, as files are often sorted."""
    file = tmp_path / "pairs.tsv"
    file.write_text("".join(f"source {number}\ttarget\n" for number in range(100)), encoding="utf-8")

    found = draw_texts(file, 50)

    assert found == draw_texts(file, 50) != sorted(found)
    assert set(found) < {f"source {number}" for number in range(100)}
    assert sorted(draw_texts(file)) == sorted(read_texts(file))
