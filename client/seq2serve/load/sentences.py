"""English sentences of different lengths, for those who have no file of their own."""

SENTENCES = (
    "Thank you!",
    "Where is the station?",
    "My sister lives near the river.",
    "The shop on the corner closes at six.",
    "We should have left before the rain started.",
    "Could you tell me how much these two tickets cost?",
    "He put the letter on the table and went out without a word.",
    "The children were playing in the garden while their parents prepared the dinner.",
    "If the weather stays as it is, we will walk along the coast and take the last bus home.",
    "Nobody knew why the old clock had stopped, but everyone agreed that it had been very quiet since then.",
    "When she opened the window in the morning, the street was already full of people who were carrying boxes, "
    "chairs and lamps to the market.",
    "The doctor asked him to rest for a week, to drink a lot of water and to come back on Monday, but on Wednesday "
    "he was at his desk again as if nothing had happened.",
)
