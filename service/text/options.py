"""What is transferred from source to target."""

from dataclasses import dataclass

from service.text.glossary import GlossaryTerm


@dataclass(frozen=True)
class TextOptions:
    """Say what is protected from the model and put back behind it; by default nothing."""

    tags: bool = False
    urls: bool = False
    emails: bool = False
    numbers: bool = False
    placeholders: bool = False
    replace_unknowns: bool = False
    glossary: tuple[GlossaryTerm, ...] = ()
