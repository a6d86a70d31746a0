"""`import msarch.hf` makes exported models known to transformers: its Auto classes then load them.

It needs the extra `hf`: ``pip install 'msarch[hf]'``.
"""

from __future__ import annotations

from transformers import AutoConfig, AutoModelForCausalLM

from msarch.hf.configuration import MsarchConfig
from msarch.hf.modeling import MsarchForCausalLM

__all__ = ["MsarchConfig", "MsarchForCausalLM"]

AutoConfig.register(MsarchConfig.model_type, MsarchConfig, exist_ok=True)
AutoModelForCausalLM.register(MsarchConfig, MsarchForCausalLM, exist_ok=True)
