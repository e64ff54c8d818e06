"""Near names: what is like a word, how many are named, and never the word itself."""

from __future__ import annotations

from specc.diagnostics.near import near, near_or_all


def test_near_names_are_the_most_alike_first() -> None:
    assert near("convv", ["relu", "conv", "concat"]) == "did you mean `conv`?"
    assert near("stagee", ["stem", "stage"]) == "did you mean `stage` or `stem`?"
    assert near("stagee", ["stem", "stage"], most=1) == "did you mean `stage`?"
    assert near("stagee", ["stem", "stage"], least=0.8) == "did you mean `stage`?"
    assert near("zzz", ["stem", "stage"]) == ""


def test_letters_in_another_size_are_nearer_than_anything() -> None:
    assert near("ReLU", ["relu", "relu6"]) == "did you mean `relu`?"


def test_a_word_is_not_near_itself() -> None:
    assert near("relu", ["relu", "gelu"]) == "did you mean `gelu`?"


def test_where_none_is_near_all_are_listed_up_to_a_bound() -> None:
    assert near_or_all("wdth", ["width", "kernel"]) == "did you mean `width`?"
    assert near_or_all("zzz", ["b", "a"]) == "there are `b`, `a`"
    assert near_or_all("zzz", ["b", "a"], most=1) == "there are `b`, ..."
