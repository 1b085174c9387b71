"""Whether pre-training helps: encoders, and what needs no network, compared on identical folds.

Put here what embeds the same samples in several ways and compares what can be predicted from each. Fits, folds and
bootstrap are those of `soc_assets.regression.evaluation`, encoders that are trained in the folds those of
`soc_assets.regression.finetuning`.
"""
