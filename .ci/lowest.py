"""Print the lowest versions that setup.cfg promises to work with, as constraints for pip."""

import configparser
import re
from pathlib import Path

setup = configparser.ConfigParser()
setup.read(Path(__file__).parents[1] / "setup.cfg")
promised = [setup["options"]["install_requires"], *setup["options.extras_require"].values()]
for name, version in sorted(set(re.findall(r"(\S+) >= (\S+)", "\n".join(promised)))):
    print(f"{name}=={version}")
