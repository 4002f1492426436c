"""The shelves of the invented cinema: kinds of film, each with its genres and the words its titles are made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

PATTERNS = (
    "The {adjective} {noun}",
    "{noun} of {place}",
    "The {noun} at {place}",
    "{adjective} {noun}",
    "A {noun} for {name}",
    "{name}'s {noun}",
    "The {noun} and the {other}",
    "{place}",
    "Leaving {place}",
    "The Last {noun}",
    "{name} in {place}",
    "Before the {noun}",
    "Two {nouns}",
    "{name} and the {noun}",
    "No {noun} in {place}",
    "The {noun} Keeper",
    "What the {noun} Knew",
    "{nouns} After Dark",
    "Return to {place}",
    "The {adjective} {nouns} of {place}",
    "Every {noun} Counts",
    "Goodbye, {name}",
    "All the {adjective} {nouns}",
    "The Year of the {noun}",
)


@dataclass(frozen=True, slots=True)
class Shelf:
    """A kind of film, and what its titles speak of."""

    name: str
    genres: tuple[str, ...]
    adjectives: tuple[str, ...]
    nouns: tuple[str, ...]
    places: tuple[str, ...]


_TABLE = """
slow space: Sci-Fi Drama
  Quiet Distant Weightless Pale Silent Patient
  Orbit Airlock Signal Observatory Probe Comet Cosmonaut Horizon
  Europa Titan Station_Nine the_Far_Side Ganymede
space adventure: Sci-Fi Action Adventure
  Burning Stolen Iron Reckless Broken Crimson
  Starship Smuggler Cruiser Nebula Outpost Armada Pilot Reactor
  Vega_Prime Orion's_Gate Port_Kestrel the_Ash_Belt Rigel
tomorrow's machines: Sci-Fi Thriller
  Artificial Hollow Second Perfect Glass Borrowed
  Android Algorithm Memory Copy Circuit Prototype Replica Archive
  Sector_Twelve New_Lagos the_Server_Farm Neon_Bay Level_Zero
small-town mystery: Mystery Drama
  Missing Drowned Unlit Locked Forgotten Northern
  Lighthouse Postman Orchard Ferry Witness Schoolhouse Quarry Choir
  Harrow_Bay Millbrook Saint_Orr Widow's_Creek Aldermoor
old noir: Crime Mystery
  Crooked Velvet Rainy Double Cold Smoky
  Alibi Blonde Cigarette Detective Pawnbroker Stairwell Matchbook Trombone
  Pier_Forty Vermouth_Street the_Blue_Dahlia_Room Union_Station Skid_Alley
heist: Crime Comedy
  Clumsy Golden Borrowed Honest Spotless Six-Fingered
  Vault Diamond Getaway Safecracker Swindle Locksmith Jackpot Forgery
  Monte_Verde the_Grand_Casino Antwerp Lake_Como the_Royal_Mint
political thriller: Thriller Drama
  Classified Deniable Silent Unsigned Hostile Sealed
  Senator Leak Embassy Ballot Transcript Informant Coup Envoy
  Geneva Room_Eleven the_Capitol Ankara Whitehall_Court
spies: Thriller Action
  Cold Double Unknown Winter Invisible Turned
  Courier Cipher Defector Handler Dossier Sleeper Checkpoint Agent
  Vienna East_Berlin Tangier the_Bosphorus Helsinki
city romance: Romance Comedy
  Almost Accidental Hopeless Unlikely Borrowed Sunday
  Wedding Bookshop Balcony Roommate Florist Umbrella Proposal Elevator
  Brooklyn Notting_Green Lisbon Montmartre the_Corner_Cafe
period romance: Romance Drama History
  Faithful Proud Unspoken Gentle Ruined Scarlet
  Governess Letter Duchess Ballroom Inheritance Portrait Garden Captain
  Ashcombe_Hall Bath Thornfield_Park Saint_Petersburg Wexley_Manor
family animals: Animation Family Comedy
  Brave Tiny Sleepy Grumpy Fearless Fluffy
  Hedgehog Penguin Otter Badger Puppy Duckling Squirrel Elephant
  Puddle_Farm the_Big_Pond Acorn_Lane Penguin_Bay the_City_Zoo
fairy tales: Animation Fantasy Family
  Enchanted Wooden Moonlit Sugar Crystal Wandering
  Princess Toymaker Dragon Mermaid Clockmaker Lantern Giant Teapot
  the_Candy_Kingdom Cloud_Castle Thimble_Town the_Snow_Palace Everwood
epic fantasy: Fantasy Adventure
  Shattered Ancient Nameless Sunken Silver Cursed
  Crown Sorcerer Blade Oath Wyvern Throne Prophecy Rune
  Eldermark the_Grey_Marches Vaelor Stormhold the_Nine_Rivers
folk horror: Horror Mystery
  Hungry Withered Barren Whispering Bitter Hollow
  Harvest Scarecrow Maypole Effigy Crow Thicket Bonfire Midwife
  Blackfen Rook_Hill the_Standing_Stones Dunmoor Wicker_Lane
haunted houses: Horror Thriller
  Bleeding Empty Endless Cracked Restless Locked
  Nursery Cellar Mirror Attic Séance Staircase Caretaker Music_Box
  Room_313 Harrow_House the_Old_Asylum Ravenscourt Number_Nine
westerns: Western Drama
  Dusty Lonesome Crooked Wanted Bitter Last
  Sheriff Mustang Outlaw Rifle Stagecoach Bounty Saloon Drifter
  Dry_Gulch Abilene Red_Mesa the_Rio_Perdido Carson_Flats
war: War Drama History
  Frozen Forgotten Fallen Burning Silent Seventh
  Regiment Trench Bridge Telegram Convoy Sniper Medic Armistice
  Arnhem the_Somme Hill_204 Narvik the_Eastern_Front
courtrooms: Drama Crime
  Reasonable Innocent Hostile Final Guilty Sworn
  Verdict Juror Testimony Appeal Defendant Bailiff Confession Oath
  Courtroom_Five Cook_County the_Old_Bailey Baton_Rouge Judge's_Row
kitchens: Comedy Drama
  Bitter Salted Burnt Secret Slow Generous
  Recipe Bakery Soup Chef Vineyard Supper Dumpling Spice
  Naples Lyon the_Night_Market Kerala Table_Seven
on the road: Drama Adventure
  Open Rusty Borrowed Wayward Long Wide
  Highway Motel Hitchhiker Caravan Map Motorcycle Mile Diner
  Route_50 Patagonia the_Salt_Flats Alice_Springs Baja
musicals: Musical Romance
  Dancing Electric Golden Midnight Singing Swinging
  Chorus Serenade Ballroom Melody Understudy Tango Cabaret Footlight
  Broadway Buenos_Aires the_Savoy Harlem Opera_Lane
underdogs: Sport Drama
  Unbeaten Muddy Second Barefoot Heavy Reluctant
  Boxer Goalkeeper Relay Coach Fastball Marathon Southpaw Rookie
  Gdansk Lane_Eight the_Minor_Leagues Kingston Stadium_Road
nature on film: Documentary
  Living Hidden Melting Migrating Wild Deep
  Glacier Reef Savannah Wolf Albatross Rainforest Whale Tundra
  Kamchatka the_Serengeti Svalbard the_Mariana_Trench Borneo
growing up: Drama Comedy
  Awkward Endless Seventeenth Sunburnt Left-Handed Honest
  Summer Bicycle Mixtape Locker Sister Diary Curfew Freckle
  Maple_Street Junior_High the_Swimming_Pool Brighton Apartment_4C
martial arts: Action Drama
  Flying Iron Drunken Shadow Jade Wandering
  Monk Fist Swordsman Temple Tiger Disciple Crane Spear
  Shaolin_Valley the_Jade_Gate Kowloon Mount_Wu the_Bamboo_Sea
"""
_NAMES = """
Ada Amir Anouk Bea Bruno Carmen Chidi Clara Dario Dina Elif Emil Esther Farid Freya Gita Hana Hugo Ines Ivo
Jamal Jun Kaya Kofi Lena Leo Lucia Malik Mara Mei Milo Nadia Nils Noor Olga Omar Pia Priya Rafa Rosa Samir
Sofia Tariq Tess Ugo Uma Vera Viktor Wanda Yara Yusuf Zoe
"""
_DIRECTORS = """
Alva Brandt, Bashir Kanaan, Celia Okafor, Dmitri Volny, Edda Lindqvist, Fumiko Arai, Gael Moreau, Hester
Quill, Ilse Vandermeer, Joao Bettencourt, Katya Morozova, Lorenzo Pavese, Mina Rao, Niamh Corrigan, Otto Feld,
Paloma Reyes, Quentin Abara, Rania Haddad, Stellan Berg, Teodora Ilieva, Umberto Salas, Vivian Cho, Wim de
Graaf, Xochitl Luna, Yannick Delorme, Zdenka Novak, Abel Nwosu, Birgit Falk, Cormac Daly, Delphine Aubert
"""


def _shelves(table: str) -> Iterator[Shelf]:
    """Four lines a shelf: its name and genres, adjectives, nouns, places; "_" stands for a space inside a word."""
    lines = table.strip().splitlines()
    for at in range(0, len(lines), 4):
        name, _, genres = lines[at].partition(":")
        adjectives, nouns, places = (
            tuple(word.replace("_", " ") for word in line.split()) for line in lines[at + 1 : at + 4]
        )
        yield Shelf(name, tuple(genres.split()), adjectives, nouns, places)


SHELVES = tuple(_shelves(_TABLE))
NAMES = tuple(_NAMES.split())
DIRECTORS = tuple(" ".join(_DIRECTORS.split()).split(", "))
