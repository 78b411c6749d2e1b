"""Networks, training data and exported bundles.

`models.phantoms` needs only numpy and feeds the agent's demo; everything else here may need torch (extra `train`).
"""

import os

# Virtual machines may say they have AMX without being able to run it: products in bfloat16 are then an illegal
# instruction, which ends the process. torch's CPU library reads this before its first product.
os.environ.setdefault("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_BF16")
