"""The generator of the sample: python -m data.sample.generate OUT writes the same bytes every time.

A film stands on a shelf (a kind of film), has a year, a director, a quality and a popularity with a long tail. A person
likes two or three shelves, one or two directors and a decade; over the two years the second taste overtakes the first.
People see what is popular and what they like, and then rate, like or dislike by how well it suited them.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data.sample.shelves import DIRECTORS, NAMES, PATTERNS, SHELVES, Shelf

SEED = 20
FILMS_A_SHELF, PEOPLE, SEEN = 24, 1500, 24  # SEEN: films a person sees, the median
START, END = 1_704_067_200, 1_767_225_600  # 2024-01-01 to 2026-01-01


@dataclass(frozen=True, slots=True)
class Film:
    id: str
    title: str
    shelf: int
    year: int
    director: int
    minutes: int
    quality: float
    popularity: float
    arrives: int  # seconds since 1970; new films come while people watch


def films(rng: np.random.Generator) -> list[Film]:
    """FILMS_A_SHELF films for every shelf, no title twice."""
    titles: set[str] = set()
    made: list[tuple[str, int]] = []
    for number, shelf in enumerate(SHELVES):
        patterns: list[str] = []
        for _ in range(FILMS_A_SHELF):
            if not patterns:
                patterns = [PATTERNS[at] for at in _shuffled(rng, len(PATTERNS))]
            pattern = patterns.pop()
            title = _title(rng, shelf, pattern)
            while title in titles:
                title = _title(rng, shelf, _pick(rng, PATTERNS))
            titles.add(title)
            made.append((title, number))
    count = len(made)
    rank = np.array(_shuffled(rng, count))
    popularity = 1.0 / (rank + 8.0) ** 0.8
    found = []
    for number, (title, shelf_number) in enumerate(made):
        year = int(2025 - 72 * rng.random() ** 2.2)
        arrives = START + int(rng.random() * 0.8 * (END - START)) if rng.random() < 0.25 else START
        if arrives > START:
            year = 2024 if arrives < START + 366 * 86_400 else 2025
        found.append(
            Film(
                id=f"film-{number + 1:03d}",
                title=title,
                shelf=shelf_number,
                year=year,
                # A director works on neighbouring shelves.
                director=(shelf_number + int(rng.random() * 6)) % len(DIRECTORS),
                minutes=int(78 + 70 * rng.random()),
                quality=_normal(rng),
                popularity=float(popularity[number]),
                arrives=arrives,
            )
        )
    return found


def events(rng: np.random.Generator, catalogue: list[Film]) -> tuple[list[str], list[tuple]]:
    """(names of the people, rows of (time, user, item, event, value text))."""
    people: list[str] = []
    rows: list[tuple] = []
    shelf_of = np.array([film.shelf for film in catalogue])
    director_of = np.array([film.director for film in catalogue])
    decade_of = np.array([film.year // 10 for film in catalogue])
    draw = np.log(np.array([film.popularity for film in catalogue]))
    quality = np.array([film.quality for film in catalogue])
    arrives = np.array([film.arrives for film in catalogue])
    alike = np.array([[len(set(a.genres) & set(b.genres)) for b in SHELVES] for a in SHELVES]) / 3.0
    for number in range(PEOPLE):
        person = f"{_pick(rng, NAMES).lower()}-{number + 1:04d}"
        people.append(person)
        favourites = _shuffled(rng, len(SHELVES))[: 2 + int(rng.random() * 2)]
        heroes = [int(rng.random() * len(DIRECTORS)) for _ in range(2)]
        decade = 195 + int(rng.random() * 8)
        joined = START + int(rng.random() ** 1.5 * 0.9 * (END - START))
        seen = np.zeros(len(catalogue), dtype=bool)
        count = int(np.clip(np.exp(np.log(SEEN) + 0.65 * _normal(rng)), 5, 160))
        moments = np.sort(joined + (END - joined) * rng.random(count)).astype(np.int64)
        for moment in moments.tolist():
            share = (moment - START) / (END - START)  # from the first taste to the second
            suits = np.zeros(len(SHELVES))
            for place, shelf in enumerate(favourites):
                strength = (1.0 - 0.6 * share, 0.4 + 0.6 * share, 0.45)[place]
                suits = np.maximum(suits, strength * np.maximum(alike[shelf] * 0.6, np.arange(len(SHELVES)) == shelf))
            match = suits[shelf_of] + 0.25 * np.isin(director_of, heroes) + 0.15 * (decade_of == decade)
            weight = draw + 4.2 * match + 0.25 * quality
            weight[seen | (arrives > moment)] = -np.inf
            fresh = (arrives > START) & (moment - arrives < 90 * 86_400)
            weight = weight + 0.8 * fresh  # what is new is talked about
            chosen = int(np.argmax(weight - np.log(-np.log(rng.random(len(catalogue))))))
            seen[chosen] = True
            rows.extend(_evening(rng, person, catalogue[chosen], float(match[chosen]), moment))
    rows.sort()
    return people, rows


def _evening(rng: np.random.Generator, person: str, film: Film, match: float, moment: int) -> list[tuple]:
    """What one person does about one film: watches it, and perhaps says what they think."""
    pleasure = 2.0 * match + 0.35 * film.quality + 0.55 * _normal(rng)
    share = 1.0 if pleasure > 0.3 else 0.15 + 0.8 * rng.random()
    rows = [(moment, person, film.id, "watch", str(max(int(film.minutes * share), 5)))]
    after = moment + film.minutes * 60
    if rng.random() < 0.42:
        rating = int(np.clip(round(2.9 + 0.85 * pleasure), 1, 5))
        rows.append((after, person, film.id, "rating", str(rating)))
    if pleasure > 1.3 and rng.random() < 0.30:
        rows.append((after + 30, person, film.id, "like", ""))
    if pleasure < -0.7 and rng.random() < 0.45:
        rows.append((after + 30, person, film.id, "dislike", ""))
    return rows


def write(out: Path) -> None:
    """interactions.csv, items.jsonl and users.csv in the folder ``out``, made where it is missing."""
    rng = np.random.default_rng(SEED)
    catalogue = films(rng)
    people, rows = events(rng, catalogue)
    out.mkdir(parents=True, exist_ok=True)
    lines = [f"{user},{item},{event},{value},{time}" for time, user, item, event, value in rows]
    _write(out / "interactions.csv", ["user,item,event,value,time", *lines])
    _write(out / "items.jsonl", [json.dumps(_item(film), ensure_ascii=False) for film in catalogue])
    cities = ("Arden", "Brook", "Calder", "Dunmore", "Elm")
    _write(out / "users.csv", ["user,name,city", *(
        f"{person},{person.partition('-')[0].title()},{_pick(rng, cities)}" for person in people
    )])  # fmt: skip


def _item(film: Film) -> dict[str, object]:
    shelf = SHELVES[film.shelf]
    return {
        "item": film.id,
        "title": f"{film.title} ({film.year})",
        "categories": list(shelf.genres),
        "year": film.year,
        "director": DIRECTORS[film.director],
        "kind": shelf.name,
        "minutes": film.minutes,
    }


def _title(rng: np.random.Generator, shelf: Shelf, pattern: str) -> str:
    noun, other = _pick(rng, shelf.nouns), _pick(rng, shelf.nouns)
    while other == noun:
        other = _pick(rng, shelf.nouns)
    title = pattern.format(
        adjective=_pick(rng, shelf.adjectives),
        noun=noun,
        nouns=_plural(noun),
        other=other,
        place=_pick(rng, shelf.places),
        name=_pick(rng, NAMES),
    )
    title = title[:1].upper() + title[1:]
    if title.startswith("A ") and title[2] in "AEIOU":
        title = "An " + title[2:]
    return title


def _plural(noun: str) -> str:
    if noun.endswith("man"):
        return noun[:-3] + "men"
    if noun.endswith("f"):
        return noun[:-1] + "ves" if noun in ("Wolf",) else noun + "s"
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


def _pick(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.random() * len(options))]


def _shuffled(rng: np.random.Generator, count: int) -> list[int]:
    return np.argsort(rng.random(count), kind="stable").tolist()


def _normal(rng: np.random.Generator) -> float:
    """Box and Muller, over ``random`` alone: the one stream that stays the same in every version of numpy."""
    return float(np.sqrt(-2.0 * np.log(1.0 - rng.random())) * np.cos(2.0 * np.pi * rng.random()))


def _write(path: Path, lines: list[str]) -> None:
    path.write_bytes(("\n".join(lines) + "\n").encode())


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m data.sample.generate OUT")
    write(Path(sys.argv[1]))
