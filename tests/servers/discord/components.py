"""The components of messages and modals, and how a person's client lets them be used."""

from __future__ import annotations

from collections.abc import Iterator

from tests.servers.discord.protocol import Json


def every_component(components: list[Json]) -> Iterator[Json]:
    """Every component, with those inside others."""
    for component in components:
        yield component
        inner = [component[key] for key in ("component", "accessory") if key in component]
        yield from every_component([*component.get("components", []), *inner])


def pressable(components: list[Json], label_or_custom_id: str) -> Json:
    """The one that a person can press under this name."""
    usable = [each for each in every_component(components) if "custom_id" in each]
    for each in usable:
        names = (each["custom_id"], each.get("label"), (each.get("emoji") or {}).get("name"))
        if label_or_custom_id in names:
            assert not each.get("disabled"), f"{label_or_custom_id!r} is disabled"
            return each
    known = [each.get("label") or each["custom_id"] for each in usable]
    raise AssertionError(f"no {label_or_custom_id!r} to press; there are {known}")


def filled(component: Json, label: str | None, values: dict[str, object]) -> Json:
    """A component of a modal as it is submitted; the values that were used are taken away."""
    sent: Json = {"type": component["type"], "id": component.get("id", 0)}
    if component["type"] == 1:
        return sent | {"components": [filled(each, None, values) for each in component["components"]]}
    if component["type"] == 18:
        return sent | {"component": filled(component["component"], component["label"], values)}
    if "custom_id" not in component:
        return sent
    sent["custom_id"] = component["custom_id"]
    keys = [key for key in (component["custom_id"], label, component.get("label")) if key in values]
    value = values.pop(str(keys[0])) if keys else component.get("value", "")
    if component["type"] == 4:
        _check_typed(component, str(value))
    return sent | ({"values": list(value)} if isinstance(value, list | tuple) else {"value": value})


def _check_typed(component: Json, value: str) -> None:
    """A client sends no text of a wrong length."""
    least, most = component.get("min_length") or 0, component.get("max_length") or 4000
    optional = component.get("required") is False and not value
    assert optional or max(least, 1 if component.get("required", True) else 0) <= len(value) <= most, (
        f"a client refuses {value!r} in {component['custom_id']}"
    )
