"""Push, train, deploy and call models of an AI Mass mesh.

>>> import aimass
>>> mesh = aimass.connect()
>>> job = mesh.train("churn", dataset=frame, target="left", recipe="gradient-boosting")
>>> mesh.deploy("churn").predict(frame.head())
"""

from aimass.credentials import ApiKey, CliSession, Password
from aimass.dataset import Dataset
from aimass.errors import AimassError
from aimass.job import Job, Report
from aimass.mesh import Mesh, connect
from aimass.model import Model
from aimass.version import Version

__all__ = [
    "AimassError",
    "ApiKey",
    "CliSession",
    "Dataset",
    "Job",
    "Mesh",
    "Model",
    "Password",
    "Report",
    "Version",
    "connect",
]
