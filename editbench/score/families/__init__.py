"""Any vision-language model that transformers loads as image-text-to-text, as a judge in this process.

judge        questions to prompts, prompts to replies, through the library's own processor and `generate`
batch        a batch of prompts, and the same batch with more tokens behind them
loading      the model, an adapter merged into it
"""
