"""What a person tried, tried again: the log of a game (``hptune-bench play``), replayed under the same ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from hptune_bench.core.errors import UserError, complaint
from hptune_bench.core.names import safe_name
from hptune_bench.core.protocols import Evaluate, Problem
from hptune_bench.core.tuner_info import TunerInfo

MAX_BYTES = 2**20


class Request(BaseModel):
    """One call of ``evaluate``: see ``protocols.Evaluate``. ``resume`` is the place of an earlier request, from 1."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    configuration: dict[str, bool | int | float | str]
    epochs: Annotated[int, Field(ge=1, le=10**9)]
    resume: Annotated[int, Field(ge=1)] | None = None


class Log(BaseModel):
    """What a person tried on one workload, in order. It holds nothing about the person.

    Attributes:
        budget: epochs that he had.
        seed: of the run that he played, which names the data.
        table: digest of the table that he played against.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: Literal["expert_log"] = "expert_log"
    schema_: Literal[1] = Field(default=1, alias="schema")
    workload: Annotated[str, AfterValidator(safe_name)]
    budget: Annotated[int, Field(ge=1)]
    seed: Annotated[int, Field(ge=1)]
    table: str
    requests: list[Request]

    def to_json(self) -> str:
        return json.dumps(self.model_dump(by_alias=True), indent=1, ensure_ascii=False) + "\n"


def read_log(path: Path) -> Log:
    """A log from its file.

    Raises:
        UserError: it cannot be read, or is none.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UserError(f"{path}: is larger than any log of a person; check the path")
        return Log.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give a log that hptune-bench play saved") from None
    except ValidationError as error:
        raise UserError(f"{path}: {complaint(error)}; give a log that hptune-bench play saved") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: is not valid JSON ({error}); give a log that hptune-bench play saved") from None


def expert_log(file: str = "") -> ExpertLog:
    """The tuner of a log's file.

    Raises:
        UserError: no file is given, or it is no log.
    """
    if not file:
        raise UserError('tuner expert_log: which log? Give it as [tuner_options.expert_log] file = "..."')
    return ExpertLog(read_log(Path(file)))


@dataclass(frozen=True)
class ExpertLog:
    """A tuner (``core.protocols.Tuner``) that proposes what the log holds, whatever comes of it."""

    log: Log
    continues = True

    def search(self, problem: Problem, evaluate: Evaluate, seed: int) -> None:
        """Ask for every request of the log.

        Raises:
            ValueError: a request continues one that comes after it.
        """
        trials: list[int] = []
        for request in self.log.requests:
            if request.resume is None:
                result = evaluate(request.configuration, epochs=request.epochs)
            elif request.resume <= len(trials):
                parent = trials[request.resume - 1]
                result = evaluate(request.configuration, epochs=request.epochs, resume=parent)
            else:
                raise ValueError(f"the log continues request {request.resume}, which comes later")
            trials.append(result.trial)


TUNERS = {
    "expert_log": TunerInfo(
        label="expert log",
        description="what a person tried in hptune-bench play, from the log's file",
        role="person",
        options=("file",),
        order=11,
        make=expert_log,
    )
}
