"""Compiles folders of rule files to detections. Needs pySigma, and imports it only then."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from oktalogger.detections.criteria import RulePart
from oktalogger.detections.model import CompiledDetection
from oktalogger.detections.rules import kinds
from oktalogger.detections.rules.correlation import check_type, read_threshold, references
from oktalogger.detections.rules.fields import FieldError, field_table
from oktalogger.detections.rules.filter_files import is_filter, read_exceptions, read_filter
from oktalogger.detections.rules.problems import DetectionsError, Problem, RuleError
from oktalogger.detections.rules.rule import OWN, Rule, check_tests, read_rule
from oktalogger.detections.rules.strict import strict_problems
from oktalogger.detections.rules.variables import read_variables
from oktalogger.detections.rules.yaml_source import read_documents, rule_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from oktalogger.detections.criteria import Threshold
    from oktalogger.detections.model import Exclusion
    from oktalogger.detections.rules.sigma import Selection
    from oktalogger.detections.rules.yaml_source import YamlDocument

# `search.query.max_query_string_length` and `indices.query.bool.max_clause_count`, at their defaults.
LONGEST_QUERY: Final = 32_000
MOST_CLAUSES: Final = 1_024


class CompilerMissingError(RuntimeError):
    """pySigma is not installed here, but the compiler needs it."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """The result of compiling a folder of rules.

    :param detections: the usable ones, in the order of their files
    :param rules: the rule of each detection, by its id
    :param problems: the problems found, warnings included
    :param exclusions: filters and exceptions, which may name rules of other folders as well
    """

    detections: tuple[CompiledDetection, ...]
    rules: Mapping[str, Rule]
    problems: tuple[Problem, ...]
    exclusions: tuple[Exclusion, ...] = ()

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that are not warnings."""
        return tuple(problem for problem in self.problems if not problem.is_warning)

    def strictly(self) -> tuple[CompiledDetection, ...]:
        """Return the detections.

        :raises DetectionsError: if there are errors
        """
        if self.errors:
            raise DetectionsError(self.errors)
        return self.detections


def can_compile() -> bool:
    """Say whether pySigma is installed."""
    return find_spec("sigma") is not None


def compile_folder(folder: Path) -> Compiled:
    """Compile every rule of a folder. A rule that cannot be used becomes a problem; the others are compiled.

    :param folder: the folder of detections
    :raises CompilerMissingError: if pySigma is not installed
    """
    if not can_compile():
        raise CompilerMissingError(
            "Rules can be compiled only where pySigma is installed: `pip install pysigma`, in an environment "
            "without Airflow."
        )
    variables, problems = read_variables(folder)
    rules = []
    exclusions, more = read_exceptions(folder, variables)
    problems += more
    for path in rule_files(folder):
        documents, unreadable = read_documents(path.read_bytes(), path.relative_to(folder).as_posix())
        problems += unreadable
        for document in documents:
            if is_filter(document):
                exclusion, more = read_filter(document, variables)
                problems += more
                exclusions += [exclusion] if exclusion is not None else []
                continue
            rules.append(read_rule(document))
            # Do not check the details of a form that is refused as a whole.
            if rules[-1].title:
                problems += strict_problems(document, variables)
    return replace(_Compilation(rules, variables, problems).run(), exclusions=tuple(exclusions))


class _Compilation:
    def __init__(self, rules: list[Rule], variables: Mapping[str, tuple[str, ...]], problems: list[Problem]) -> None:
        self._rules = rules
        self._variables = variables
        self._problems = [*problems, *(problem for rule in rules for problem in rule.problems)]
        self._selections: dict[int, Selection | None] = {}
        self._in_file: dict[str, int] = {}
        for rule in rules:
            self._in_file[rule.document.file] = self._in_file.get(rule.document.file, 0) + 1

    def run(self) -> Compiled:
        self._find_doubles()
        counted = self._counted_only()
        detections: list[CompiledDetection] = []
        by_id: dict[str, Rule] = {}
        for rule in self._rules:
            if id(rule) in counted:
                self._selection(rule)
                continue
            if rule.is_to_be_counted:
                message = (
                    f"no correlation here counts the rule `{rule.name}`, and without an `id` it cannot alert itself"
                )
                self._problems.append(rule.document.problem(message, "name", is_warning=True))
                continue
            self._problems += rule.output_problems
            self._problems += check_tests(rule) if rule.is_usable else ()
            forms = self._forms(rule)
            if forms and not self._is_broken(rule) and rule.id not in by_id:
                detections += forms
                by_id |= dict.fromkeys((form.id for form in forms), rule)
        return Compiled(tuple(detections), by_id, tuple(sorted(set(self._problems))))

    def _is_broken(self, rule: Rule) -> bool:
        first, last = rule.document.line(), rule.document.node.end_mark.line + 1
        return any(
            problem.file == rule.document.file and first <= problem.line <= last and not problem.is_warning
            for problem in self._problems
        )

    def _find_doubles(self) -> None:
        seen: dict[str, Rule] = {}
        for rule in self._rules:
            if not rule.id:
                continue
            if rule.id in seen:
                first = seen[rule.id].document
                message = (
                    f"the `id` {rule.id} belongs to {first.file}:{first.line('id')} already; give this rule its own"
                )
                self._problems.append(rule.document.problem(message, "id"))
            else:
                seen[rule.id] = rule

    def _counted_only(self) -> set[int]:
        """Return the rules that alert only through a correlation: Sigma's default, which a correlation can change."""
        counted = set()
        for rule in self._rules:
            body = rule.document.data.get("correlation")
            if rule.kind == "threshold" and isinstance(body, dict) and body.get("generate") is not True:
                for reference in references(body):
                    if (found := self._find(reference, rule.document)) is not None:
                        counted.add(id(found))
        return counted

    def _find(self, reference: str, near: YamlDocument) -> Rule | None:
        named = [rule for rule in self._rules if reference in (rule.name, rule.id) and rule.document is not near]
        # A name refers first to a rule in the same file.
        named.sort(key=lambda rule: rule.document.file != near.file)
        return named[0] if named else None

    def _forms(self, rule: Rule) -> tuple[CompiledDetection, ...]:
        detection = self._compile(rule)
        if detection is None or not rule.own.severity:
            return () if detection is None else (detection,)
        from oktalogger.detections.rules.severities import forms_of

        forms, problems = forms_of(detection, rule, self._variables)
        self._problems += problems
        return forms

    def _compile(self, rule: Rule) -> CompiledDetection | None:
        if rule.kind == "risk":
            return self._detection(rule, None, None) if rule.is_usable else None
        if rule.kind == "event":
            selection = self._selection(rule)
            try:
                return None if selection is None else self._detection(rule, selection, None)
            except RuleError as error:
                self._fail(rule, error, "detection")
                return None
        if not rule.is_usable:
            return None
        try:
            return self._threshold(rule)
        except (RuleError, FieldError) as error:
            self._fail(rule, error, "correlation")
            return None

    def _selection(self, rule: Rule) -> Selection | None:
        if id(rule) in self._selections:
            return self._selections[id(rule)]
        from oktalogger.detections.rules.sigma import read_selection

        selection = None
        if rule.is_usable:
            try:
                selection = read_selection(rule.document, field_table(), self._variables)
                self._problems += selection.warnings
            except RuleError as error:
                self._fail(rule, error, "detection")
        self._selections[id(rule)] = selection
        return selection

    def _fail(self, rule: Rule, error: Exception, section: str) -> None:
        line = getattr(error, "line", None) or rule.document.line(section)
        self._problems.append(Problem(rule.document.file, line, str(error)))

    def _threshold(self, rule: Rule) -> CompiledDetection | None:
        from oktalogger.detections.rules.lucene_query import Clause, either
        from oktalogger.detections.rules.sigma import Selection, read_correlation

        document = rule.document
        body = document.data["correlation"]
        check_type(document, body.get("type"))
        correlation = read_correlation(document)
        counted = [self._counted(reference, document) for reference in references(body)]
        selections = [selection for _, selection in counted]
        parts = [RulePart(title=one.title, query=selection.text) for one, selection in counted]
        threshold = read_threshold(document, correlation, parts)
        clause = either([Clause(selection.text) for selection in selections])
        looked_at = {field for selection in selections for field in selection.fields}
        looked_at |= {*threshold.group_by, *([threshold.counted] if threshold.counted else [])}
        clauses = sum(selection.clauses for selection in selections)
        counts = tuple(dict.fromkeys(name for one, _ in counted for name in (one.name, one.id) if name))
        selection = Selection(clause.text, tuple(sorted(looked_at)), clauses)
        return self._detection(rule, selection, threshold, counts)

    def _counted(self, reference: str, document: YamlDocument) -> tuple[Rule, Selection]:
        at = document.line("correlation", "rules")
        rule = self._find(reference, document)
        if rule is None:
            raise RuleError(f"the correlation counts the rule {reference!r}, which is in no file here", at)
        if rule.kind == "threshold":
            raise RuleError(
                f"the correlation counts {reference!r}, itself a correlation; a monitor counts events only", at
            )
        selection = self._selection(rule)
        if selection is None:
            raise RuleError(
                f"the correlation counts the rule {reference!r}, which cannot be used: see {rule.document.file}", at
            )
        return rule, selection

    def _detection(
        self, rule: Rule, selection: Selection | None, threshold: Threshold | None, counts: tuple[str, ...] = ()
    ) -> CompiledDetection:
        stem = re.sub(r"[^A-Za-z0-9_]+", "_", rule.document.file.rpartition("/")[2].rpartition(".")[0])
        outputs = self._in_file[rule.document.file] > 1 and rule.name and rule.kind == "event"
        detection = CompiledDetection(
            id=rule.id,
            name=f"{stem}_{rule.name}" if outputs else stem,
            title=rule.title,
            description=rule.description,
            severity=rule.severity,
            attack=rule.attack,
            tactics=rule.tactics,
            false_positives=rule.false_positives,
            runbook=rule.own.runbook,
            references=rule.references,
            enabled=rule.own.enabled,
            channels=rule.own.channels,
            throttle_minutes=rule.own.throttle_minutes,
            dedup=kinds.dedup(rule) if threshold is None else (),
            cells=rule.own.cells,
            selection=selection.text if selection is not None else "",
            fields=tuple(sorted({*(selection.fields if selection is not None else ()), *kinds.fields(rule)})),
            threshold=threshold,
            first_seen=kinds.first_seen(rule),
            absence=kinds.absence(rule),
            counts=counts,
            risk=rule.own.risk,
            risk_sum=rule.own.risk_sum,
            file=rule.document.file,
            line=rule.document.line({"event": "detection", "threshold": "correlation"}.get(rule.kind, OWN)),
        )
        if selection is not None:
            _check_size(len(detection.query), selection.clauses)
        return detection


def _check_size(characters: int, clauses: int) -> None:
    """Refuse a query that OpenSearch would refuse only when the monitor runs, every time."""
    # One more clause leaves out historical events.
    if characters <= LONGEST_QUERY and clauses < MOST_CLAUSES:
        return
    raise RuleError(
        f"the query is too large: {characters:,} characters and {clauses:,} clauses (an address or a number makes "
        f"two), and OpenSearch takes {LONGEST_QUERY:,} and {MOST_CLAUSES - 1:,}; split the rule or its list in "
        "several, each with an `id` of its own, or look for what the values have in common, like a network"
    )
