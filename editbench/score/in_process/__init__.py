"""What judges of a checkpoint in this process share, whatever its family.

judge           the prompt of a question, and replies from what the model decoded or gave as probabilities
chat_template   the prompt to the letter
processor       that of any family, for still images only
decoding        decoding a reply token by token
head            from the last hidden states to logits in float32
"""
