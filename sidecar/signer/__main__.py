"""python -m sidecar.signer."""

import os
import sys

from sidecar.signer.process import main

sys.exit(main(sys.argv[1:], os.environ))
