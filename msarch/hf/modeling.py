"""A model of msarch as a causal language model of transformers: the same modules, so the same logits to the bit."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import GenerationMixin, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutputWithPast

from msarch.generation.decoder import Decoder
from msarch.hf.configuration import MsarchConfig
from msarch.layers.selection import SelectWordStarts, spacelike_bytes
from msarch.models.build import build_model


class DecoderCache:
    """What transformers passes from one token to the next as `past_key_values`: a decoder that remembers its tokens."""

    is_compileable = False

    def __init__(self, decoder: Decoder) -> None:
        self.decoder = decoder

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """How many tokens have been read."""
        return self.decoder.tokens

    def reorder_cache(self, beam_idx: Tensor) -> None:
        """Row i goes on from row `beam_idx[i]`: (batch,) int64."""
        self.decoder.reorder(beam_idx)

    def crop(self, max_length: int) -> None:
        """Raises ValueError: running blocks are not kept for every position."""
        raise ValueError("this model's cache cannot forget its last tokens; generate without an assistant")


class MsarchForCausalLM(PreTrainedModel, GenerationMixin):
    """Any variant. Sequences of a batch may be padded on their right, where no token before the padding sees it."""

    config_class = MsarchConfig
    base_model_prefix = "model"
    main_input_name = "input_ids"
    _supports_sdpa = True

    def __init__(self, config: MsarchConfig) -> None:
        super().__init__(config)
        self.model = build_model(config.model_config())
        self.post_init()

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        labels: Tensor | None = None,
        past_key_values: DecoderCache | None = None,
        use_cache: bool = False,
        logits_to_keep: int = 0,
        return_dict: bool | None = None,
        **kwargs: Any,
    ) -> Any:
        """Logits (batch, time, vocab_size) of tokens (batch, time), and with `labels` the mean loss.

        `labels` are the tokens themselves, -100 where none is to be predicted. `logits_to_keep` is how many of the last
        positions have logits; 0 for all. With `use_cache` the output has `past_key_values`; passed on with the tokens
        that follow, what was read before is not computed again. With `labels` there is no cache.
        """
        if attention_mask is not None and not bool(attention_mask[:, 0].all()):
            raise ValueError("this model has no padding on the left; pad on the right: padding_side='right'")
        if labels is not None and past_key_values is not None:
            raise ValueError("labels need all tokens in one pass; leave out past_key_values")
        if labels is None and (use_cache or past_key_values is not None):
            output = self._extend(input_ids, past_key_values, logits_to_keep)
            return output if return_dict is not False else output.to_tuple()
        features_BTD = self.model.features(input_ids)
        logits = linear(features_BTD[:, -logits_to_keep:], self.model.readout_weight)
        loss = None
        if labels is not None:
            loss = self.loss_function(logits, labels, vocab_size=self.model.config.vocab_size, **kwargs)
        output = CausalLMOutputWithPast(loss=loss, logits=logits)
        return output if return_dict is not False else output.to_tuple()

    def _extend(self, input_ids: Tensor, cache: DecoderCache | None, logits_to_keep: int) -> CausalLMOutputWithPast:
        cache = cache or DecoderCache(Decoder(self.model, input_ids.shape[0]))
        logits = cache.decoder.extend(input_ids, logits_to_keep or None)
        return CausalLMOutputWithPast(logits=logits, past_key_values=cache)

    def prepare_inputs_for_generation(
        self,
        input_ids: Tensor,
        past_key_values: DecoderCache | None = None,
        attention_mask: Tensor | None = None,
        use_cache: bool = True,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The tokens that were not read yet. Raises ValueError where prompts have different lengths."""
        if attention_mask is not None and not bool(attention_mask.all()):
            raise ValueError("prompts of one batch must be equally long: this model does not generate after padding")
        read = 0 if past_key_values is None else past_key_values.get_seq_length()
        return {
            "input_ids": input_ids[:, read:],
            "past_key_values": past_key_values,
            "use_cache": use_cache,
            "logits_to_keep": 1,
        }

    @classmethod
    def _supports_default_dynamic_cache(cls) -> bool:
        return False  # its states are those of several scales

    def get_input_embeddings(self) -> nn.Module:
        """The token embedding, which is the readout too."""
        return self.model.embedding

    def set_input_embeddings(self, value: nn.Module) -> None:
        """Replace the token embedding."""
        assert isinstance(value, nn.Embedding)
        self.model.embedding = value

    def get_output_embeddings(self) -> None:
        """None: the readout is the token embedding."""

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        """Parameters were drawn as the model was built; a table that no file holds is computed again after a load."""
        if isinstance(module, SelectWordStarts):
            module.spacelike.copy_(spacelike_bytes())
