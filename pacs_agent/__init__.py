"""A study comes in from the PACS, is read by MS-VLM, and its report goes back.

A study's way, a folder a word: receive → archive → assemble → route → pipeline → deliver → review.
"""

__version__ = "0.1.0"
