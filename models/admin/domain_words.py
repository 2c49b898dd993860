import ast

from odoo import _

# From here on a list of records is not a sentence any more.
_MAX_VALUES = 20


class DomainWords:
    """A domain of Odoo's in the words of the person who reads it.

    Fields go by their labels, values by theirs. What is no plain domain, such as one
    that computes a date, is shown as it is written.
    """

    def __init__(self, env, model):
        self.env = env
        self.model = model

    def tell(self, text):
        """Return the domain that is written in ``text`` in words; never raises.

        Without a condition the answer is empty.
        """
        text = (text or "").strip()
        try:
            domain = ast.literal_eval(text) if text else []
            return self._tell_all(domain)
        except Exception:  # whatever it is that somebody wrote
            return text

    def _tell_all(self, domain):
        # The operators of a domain come before what they join.
        stack = []
        for part in reversed(domain):
            if part == "!":
                stack.append((_("not (%s)", stack.pop()[0]), False))
            elif part in ("&", "|"):
                stack.append(self._join(part, stack.pop(), stack.pop()))
            else:
                stack.append((self._tell_condition(*part), False))
        while len(stack) > 1:
            stack.append(self._join("&", stack.pop(), stack.pop()))
        return stack[0][0] if stack else ""

    def _join(self, operator, first, second):
        """Join two parts, each a text and whether it is a choice that needs brackets."""
        if operator == "|":
            return _("%(a)s or %(b)s", a=first[0], b=second[0]), True
        first, second = (
            f"({text})" if is_choice else text for text, is_choice in (first, second)
        )
        return _("%(a)s and %(b)s", a=first, b=second), False

    def _tell_condition(self, path, operator, value):
        field, label = self._find(path)
        is_empty = value is False or value is None
        if is_empty and field.type != "boolean" and operator in ("=", "!="):
            if operator == "=":
                return _("%s is not set", label)
            return _("%s is set", label)
        if field.type == "boolean" and operator == "!=":
            operator, value = "=", not value
        sentences = {
            "=": _("%(field)s is %(value)s"),
            "!=": _("%(field)s is not %(value)s"),
            "in": _("%(field)s is %(value)s"),
            "not in": _("%(field)s is not %(value)s"),
            ">": _("%(field)s is more than %(value)s"),
            ">=": _("%(field)s is at least %(value)s"),
            "<": _("%(field)s is less than %(value)s"),
            "<=": _("%(field)s is at most %(value)s"),
            "like": _("%(field)s contains %(value)s"),
            "ilike": _("%(field)s contains %(value)s"),
            "not like": _("%(field)s does not contain %(value)s"),
            "not ilike": _("%(field)s does not contain %(value)s"),
            "child_of": _("%(field)s is %(value)s or below"),
        }
        values = value if isinstance(value, (list, tuple)) else [value]
        return sentences[operator] % {
            "field": label,
            "value": self._tell_values(field, values[:_MAX_VALUES]),
        }

    def _find(self, path):
        """Return the field at the end of a path, and the labels on the way."""
        model, labels, field = self.model, [], None
        for name in path.split("."):
            field = model._fields[name]
            labels.append(field._description_string(self.env))
            if field.relational:
                model = self.env[field.comodel_name]
        return field, " › ".join(labels)

    def _tell_values(self, field, values):
        choices = {}
        if field.type == "selection":
            choices = dict(field._description_selection(self.env))
        elif field.relational:
            ids = [value for value in values if type(value) is int]
            # By whoever may edit an automation, which sees everything.
            records = self.env[field.comodel_name].sudo().browse(ids).exists()
            choices = {record.id: record.display_name for record in records}
        elif field.type == "boolean":
            choices = {True: _("yes"), False: _("no")}
        if field.type != "boolean":
            choices[False] = _("nothing")
        words = [str(choices.get(value, value)) for value in values]
        return _(" or ").join(words)
