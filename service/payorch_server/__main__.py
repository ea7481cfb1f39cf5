import sys

from payorch_server.cli import main

sys.exit(main())
