"""Benches that come with mtjlab, as data: `passive15` is three 2400s and a 707B on a 15 x 15 passive array."""
