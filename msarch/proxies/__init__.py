"""Training-free scores of a candidate: does anything that is known before training foretell its loss?"""

from msarch.proxies.score import PROXIES, Proxy, score_candidate

__all__ = ["PROXIES", "Proxy", "score_candidate"]
