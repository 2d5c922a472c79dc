"""The columns of evidence, by what they are about, and what each measures.

``EVIDENCE_NAMES`` is their order in every evidence matrix, in the matcher's ONNX input and in release
manifests. "Margin" columns are the pair's value minus the best value among the listing's other
candidates, so positive only for the leader.
"""

from __future__ import annotations

from engine.automation.named_values import QUANTITIES

#: Group -> column -> what it measures. What each group is worth is measured in docs/ablation.md.
EVIDENCE_GROUPS: dict[str, dict[str, str]] = {
    "encoder": {
        "similarity": "cosine of the encoder's unit vectors",
        "similarity_margin": "similarity minus the best similarity of the other candidates",
    },
    "characters": {
        "lexical": "cosine of the character n-gram TF-IDF vectors",
        "lexical_margin": "lexical minus the best lexical of the other candidates",
        "squeezed": "cosine of the 3- to 5-gram TF-IDF vectors of the texts without spaces",
        "squeezed_margin": "squeezed minus the best of the other candidates",
    },
    "words": {
        "item_covered": "idf-weighted share of the item's words that the listing has",
        "item_covered_margin": "item_covered minus the best of the other candidates",
        "listing_covered": "idf-weighted share of the listing's words that the item has",
        "listing_covered_margin": "listing_covered minus the best of the other candidates",
        "shared_weight_margin": "summed idf of the shared words, minus the best such sum of the others",
        "rarest_missing_in_listing": "highest idf among the item's words that the listing lacks",
        "rarest_missing_in_item": "highest idf among the listing's words that the item lacks",
        "joined_agree": "idf-weighted share of the item's neighbouring token pairs found in the listing",
        "listing_length": "log of the listing's word count",
        "item_length": "log of the item's word count",
        "lead": "lexical plus both word shares: minus the best such sum of the other candidates",
    },
    "details": {
        "item_detailed": "idf-weighted share of the item's words that only the listing's details have",
        "item_detailed_margin": "what those shares add to the margin of the words found",
        "item_missing_detailed": "by how much they lower the highest idf of what the listing lacks",
        "listing_detailed": "idf-weighted share of the listing's words that only the item's details have",
        "listing_detailed_margin": "what those shares add to the margin of the words found",
        "listing_missing_detailed": "by how much they lower the highest idf of what the item lacks",
    },
    "numbers": {
        "numbers_agree": "numbers both have",
        "numbers_missing_in_listing": "numbers of the item that the listing lacks",
        "numbers_missing_in_item": "numbers of the listing that the item lacks",
        "measures_agree": "measures (value with normalised unit) both have",
        "measures_conflict": "quantities both state, with different values",
        "measures_missing_in_listing": "quantities the item states and the listing does not",
    },
    "model codes": {
        "codes_agree": "share of the item's model codes found in the listing",
        "codes_agree_margin": "codes_agree minus the best of the other candidates",
        "codes_conflict": "1 where both have model codes and none is shared",
        "item_has_code": "1 where the item has a model code",
        "code_stems_agree": "shared model code stems (up to two last characters cut), at most 3",
        "code_likeness": "cosine of the 2- and 3-gram TF-IDF vectors of what may be model codes; 0 without",
        "code_likeness_margin": "code_likeness minus the best of the other candidates",
        "listing_codes_found": "share of the listing's model codes found in the item",
        "listing_codes_found_margin": "listing_codes_found minus the best of the other candidates",
        "listing_codes_lost": "model codes of the listing that the item lacks",
        "item_code_letters": "share of the 3-grams of the item's model codes that the listing's text has",
        "item_code_letters_margin": "item_code_letters minus the best of the other candidates",
        "listing_code_letters": "share of the 3-grams of the listing's model codes that the item's text has",
        "listing_code_letters_margin": "listing_code_letters minus the best of the other candidates",
    },
    "named values": {
        **{f"{quantity}_agree": f"values of {quantity} that both name" for quantity in QUANTITIES},
        **{
            f"{quantity}_conflict": f"1 where both name a {quantity} and none is shared"
            for quantity in QUANTITIES
        },
        "variants_missing_in_listing": "variant words (plus, pro, mini, ...) of the item the listing lacks",
        "variants_missing_in_item": "variant words of the listing the item lacks",
    },
    "brand": {
        "first_word_equal": "1 where both begin with the same word (in most feeds the brand)",
        "brand_equal": "1 where both have a brand and it is the same, aliases included",
        "brand_conflict": "1 where both have a brand and it differs",
        "brand_named": "1 where the listing names the item's brand anywhere, by any alias",
        "other_brand_named": "1 where the listing names brands of the catalogue, but not the item's",
    },
    "attributes": {
        "category_equal": "1 where both name a category and it is the same",
        "category_conflict": "1 where both name a category and it differs",
        "price_gap": "absolute log ratio of the prices, at most 2; 0 where one is missing",
        "price_known": "1 where both have a price",
        "gtin_equal": "1 where both carry the same GTIN (check digits are tested at import)",
        "gtin_conflict": "1 where both carry a GTIN and they differ",
    },
    "claims": {
        "nearer_listings": "log of how many listings are nearer to the item, by plain score",
        "nearest_gap": "plain score minus the best that any listing has with the item",
        "claimants": "log of how many listings resemble this item more than any other",
        "claim_gap": "plain score minus the mean plain score of those listings; 0 where there are none",
    },
    "aliases": {
        "alias_similarity": "best cosine to a confirmed listing of the item; 0 where it has none",
        "alias_lexical": "best lexical cosine to a confirmed listing of the item; 0 where it has none",
        "alias_margin": "alias_similarity minus the best of the other candidates",
    },
    "learnt words": {
        "learnt_words": "log odds by which the words of both, or of one alone, spoke for right pairs so far",
    },
}
EVIDENCE_COLUMNS: dict[str, str] = {
    name: meaning for group in EVIDENCE_GROUPS.values() for name, meaning in group.items()
}
EVIDENCE_NAMES: tuple[str, ...] = tuple(EVIDENCE_COLUMNS)

#: What the listing's text says by itself, against the catalogue's vocabulary; name -> what it measures.
TEXT_COLUMNS: dict[str, str] = {
    "codes": "model codes the listing states",
    "unknown_codes": "model codes the listing states and no item has",
    "unknown_words": "share of the listing's words that no item has",
    "first_word_items": "log of how many items begin with the listing's first word",
    "longest_code": "characters of the listing's longest model code",
    "longest_unknown_code": "characters of its longest model code that no item has",
    "names_brand": "1 where a word of the listing begins several items, as brands do",
}
TEXT_NAMES: tuple[str, ...] = tuple(TEXT_COLUMNS)

_COLUMN = {name: i for i, name in enumerate(EVIDENCE_NAMES)}


def column(name: str) -> int:
    """Position of an evidence column."""
    return _COLUMN[name]
