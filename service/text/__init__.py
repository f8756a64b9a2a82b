"""What happens to text before and after the model: words, alignment, transfers, sentences, streaming."""
