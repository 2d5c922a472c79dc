"""A small made-up catalogue and a feed of 40 listings of it, as shops write them."""

from __future__ import annotations

from typing import Any

from engine.contracts import Item, Listing

# id | title | brand | model | category | price | gtin | attributes
_ITEMS = """
C-1001 | Sony WH-1000XM4 Wireless Noise Cancelling Headphones Black | Sony | WH-1000XM4 | Headphones | 279.0 | 4548736112001 | colour=Black; connection=Bluetooth 5.0
C-1002 | Sony WH-1000XM5 Wireless Noise Cancelling Headphones Black | Sony | WH-1000XM5 | Headphones | 349.0 | 4548736132580 | colour=Black; connection=Bluetooth 5.2
C-1003 | Sony WH-1000XM4 Wireless Noise Cancelling Headphones Silver | Sony | WH-1000XM4 | Headphones | 279.0 | 4548736112018 | colour=Silver; connection=Bluetooth 5.0
C-1004 | Sony WF-1000XM4 True Wireless Earbuds | Sony | WF-1000XM4 | Headphones | 199.0 | 4548736130906 | colour=Black
C-1005 | Bose QuietComfort 45 Headphones Triple Black | Bose | QC45 | Headphones | 269.0 |  | colour=Black
C-1006 | Bose QuietComfort Earbuds II | Bose | QCEB2 | Headphones | 229.0 |  |
C-2001 | Samsung Galaxy S23 128GB Phantom Black | Samsung | SM-S911B | Phones | 749.0 | 8806094724912 | storage=128 GB; colour=Phantom Black
C-2002 | Samsung Galaxy S23 256GB Phantom Black | Samsung | SM-S911B | Phones | 809.0 | 8806094724929 | storage=256 GB; colour=Phantom Black
C-2003 | Samsung Galaxy S23 Ultra 256GB Green | Samsung | SM-S918B | Phones | 1199.0 | 8806094732627 | storage=256 GB; colour=Green
C-2004 | Samsung Galaxy S23+ 256GB Cream | Samsung | SM-S916B | Phones | 999.0 |  | storage=256 GB; colour=Cream
C-2005 | Apple iPhone 14 128GB Midnight | Apple | MPUF3 | Phones | 849.0 | 0194253408246 | storage=128 GB; colour=Midnight
C-2006 | Apple iPhone 14 Pro 256GB Space Black | Apple | MQ0T3 | Phones | 1259.0 |  | storage=256 GB; colour=Space Black
C-2007 | Google Pixel 7a 128GB Charcoal | Google | GA03694 | Phones | 449.0 |  | storage=128 GB; colour=Charcoal
C-3001 | LG OLED55C3 55 inch 4K OLED TV | LG | OLED55C36LC | Televisions | 1299.0 | 8806087073607 | size=55 in
C-3002 | LG OLED65C3 65 inch 4K OLED TV | LG | OLED65C36LC | Televisions | 1799.0 | 8806087073614 | size=65 in
C-3003 | Samsung UE55CU8000 55 inch Crystal UHD TV | Samsung | UE55CU8000 | Televisions | 549.0 |  | size=55 in
C-3004 | Samsung UE65CU8000 65 inch Crystal UHD TV | Samsung | UE65CU8000 | Televisions | 699.0 |  | size=65 in
C-4001 | Logitech MX Master 3S Wireless Mouse Graphite | Logitech | 910-006559 | Mice | 99.0 | 5099206103726 | colour=Graphite
C-4002 | Logitech MX Master 3S Wireless Mouse Pale Grey | Logitech | 910-006560 | Mice | 99.0 | 5099206103733 | colour=Pale Grey
C-4003 | Logitech MX Anywhere 3S Compact Mouse Graphite | Logitech | 910-006929 | Mice | 79.0 |  | colour=Graphite
C-5001 | SanDisk Ultra microSDXC 128GB UHS-I Card | SanDisk | SDSQUAB-128G | Memory cards | 14.9 | 0619659200534 | storage=128 GB; pack=1
C-5002 | SanDisk Ultra microSDXC 256GB UHS-I Card | SanDisk | SDSQUAC-256G | Memory cards | 24.9 | 0619659200558 | storage=256 GB; pack=1
C-5003 | SanDisk Ultra microSDXC 128GB UHS-I Card 2-pack | SanDisk | SDSQUAB-128G-2 | Memory cards | 27.9 |  | storage=128 GB; pack=2
C-6001 | Canon EOS R50 Body Black | Canon | 5811C003 | Cameras | 719.0 | 4549292204797 | kit=body
C-6002 | Canon EOS R50 Kit RF-S 18-45mm Black | Canon | 5811C013 | Cameras | 829.0 |  | kit=18-45 mm
"""  # noqa: E501

# feed | title | brand | model | category | price | gtin | attributes
_LISTINGS = """
megastore | sony wh1000xm4 over ear bluetooth headphones noise canceling - black | Sony |  | Audio | 265.9 |  | colour=black
megastore | Samsung Galaxy S23 5G 256 GB Phantom Black Smartphone SM-S911B | Samsung | SM-S911B | Mobile | 799.0 |  | storage=256 GB; colour=Phantom Black
megastore | LG OLED 55C3 4K Smart TV 55" (2023) | LG | OLED55C3 | TV | 1249.0 |  |
pixelhaus | SanDisk Ultra 128GB microSDXC Karte 2-pack | SanDisk |  | Speicher | 26.5 |  | pack=2
pixelhaus | Logitech MX Master 3 S Maus graphit | Logitech | 910-006559 | Zubehör | 94.9 | 5099206103726 | colour=graphit
megastore | Canon EOS R50 + RF-S 18-45 IS STM | Canon |  | Cameras | 819.0 |  |
pixelhaus | Apple iPhone 14 (128 GB) Mitternacht | Apple |  | Smartphones | 839.0 |  | storage=128 GB
megastore | Bose QC 45 noise cancelling headphones, triple black | Bose | QC45 | Audio | 259.0 |  | colour=black
megastore | Samsung 65 inch Crystal UHD CU8000 television | Samsung |  | TV | 689.0 |  | size=65 in
pixelhaus | Google Pixel 7a 128GB Charcoal + case | Google | GA03694 | Smartphones | 459.0 |  |
pixelhaus | Sony Wireless Headphones WH-1000XM5 Silver | Sony | WH-1000XM5 | Kopfhörer | 339.0 |  | colour=Silver
megastore | JBL Flip 6 portable speaker blue | JBL | FLIP6BLU | Audio | 119.0 |  | colour=blue
megastore | USB-C charging cable 1m |  |  | Accessories | 7.99 |  |
pixelhaus | Samsung Galaxy S23 Ultra 512GB Green | Samsung | SM-S918B | Smartphones | 1299.0 |  | storage=512 GB
megastore | sandisk ultra micro sd 256 gb | SanDisk |  | Memory | 23.9 |  | storage=256 GB
megastore | Sony WF1000XM4 earbuds black | Sony | WF-1000XM4 | Audio | 189.0 | 4548736130906 |
pixelhaus | LG OLED65C36LC 65 Zoll OLED | LG | OLED65C36LC | TV | 1749.0 | 8806087073614 | size=65 in
pixelhaus | Logitech MX Anywhere 3S graphite | Logitech |  | Zubehör | 74.9 |  |
megastore | iPhone 14 Pro 256 GB space black unlocked | Apple | MQ0T3 | Mobile | 1229.0 |  | storage=256 GB
megastore | ??? test listing do not use |  |  |  |  |  |
"""  # noqa: E501


def _rows(table: str) -> list[tuple[str, dict[str, Any]]]:
    rows = []
    for line in table.strip().splitlines():
        first, title, brand, model, category, price, gtin, attributes = (
            part.strip() for part in line.split("|")
        )
        pairs = [pair.split("=") for pair in attributes.split("; ") if pair]
        fields = {
            "title": title,
            "brand": brand,
            "model": model,
            "category": category,
            "price": float(price) if price else None,
            "gtin": gtin,
            "attributes": {name: value for name, value in pairs},
        }
        rows.append((first, fields))
    return rows


def made_items() -> dict[int, Item]:
    """The catalogue, by number."""
    made = {}
    for number, (code, fields) in enumerate(_rows(_ITEMS), 1):
        warranty = f"{fields['title']}. Sold with the maker's warranty of two years."
        made[number] = Item(number, code, description=warranty if number % 3 == 0 else "", **fields)
    return made


def made_listings() -> tuple[dict[int, Listing], dict[int, str]]:
    """Forty listings by number (every row twice, the second time from another shop), and feed names."""
    rows = _rows(_LISTINGS)
    names = {1: "megastore", 2: "pixelhaus"}
    numbers = {name: number for number, name in names.items()}
    listings = {}
    for copy in (0, 1):
        for at, (feed, fields) in enumerate(rows):
            number = copy * len(rows) + at + 1
            title = fields["title"] if copy == 0 or at % 3 == 0 else f"{fields['title']} new"
            listings[number] = Listing(
                number,
                f"{feed[:2].upper()}-{number:04d}",
                feed_id=numbers[feed],
                **{**fields, "title": title},
            )
    return listings, names
