import sys

from zuora_emulator.cli import main

sys.exit(main())
