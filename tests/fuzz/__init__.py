"""Coverage-guided fuzzing of everything that reads a peer's bytes.

A target is a module with `check(encoded)`, which raises when the code under test breaks a promise; refusing is none.
`python -m tests.fuzz.wire --seconds 600` (and `commands`, `data_set`) looks for inputs that do, starting from
`corpus/<target>`; `python -m tests.fuzz.seeds` makes that corpus. An input that once broke something stays in it as
`found-<digest>`. The quick tests check the corpus and some mutations of it without atheris.
"""
