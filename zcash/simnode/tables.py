"""Which port serves which methods."""

from collections.abc import Callable
from dataclasses import dataclass

from . import (
    methods_fault,
    methods_zallet_accounts,
    methods_zallet_balances,
    methods_zallet_sending,
    methods_zallet_status,
    methods_zallet_transactions,
    methods_zallet_view,
    methods_zebra,
    methods_zebra_addresses,
)
from .dialects import Dialect
from .faults import CONTROL_PREFIX, Faults
from .methods import Registry
from .methods_control import control_methods
from .methods_fault import fault_methods
from .openrpc import OpenRegistry, discoverable
from .rpc import zcashd_methods

# Regtest's way to mine: zebrad's own methods, and on every port all the same.
_MINING = frozenset({"generate", "invalidateblock", "reconsiderblock"})
_ZALLET = (
    methods_zallet_accounts,
    methods_zallet_balances,
    methods_zallet_sending,
    methods_zallet_status,
    methods_zallet_transactions,
    methods_zallet_view,
)
_ZEBRA = (methods_zebra, methods_zebra_addresses)


@dataclass(frozen=True, slots=True)
class Switches:
    """What methods can do to the server around them."""

    faults: Faults
    stop: Callable[[], None]


def methods_of(dialect: Dialect, *, switches: Switches) -> Registry:
    """Return every method of a port: its dialect's own, and those that move the simulated world."""
    methods = _own_methods(dialect)
    methods.update(_zcashd_methods(lambda name: name.startswith(CONTROL_PREFIX) or name in _MINING))
    methods.update(methods_fault.methods)
    methods.update(fault_methods(switches.faults))
    methods.update(control_methods(methods, stop=switches.stop))
    return methods


def _own_methods(dialect: Dialect) -> Registry:
    if dialect is Dialect.ZCASHD:
        return zcashd_methods()
    methods = OpenRegistry()
    if dialect is Dialect.ZEBRA:
        methods.update(_zcashd_methods(lambda name: name in _MINING))
    for module in _ZEBRA if dialect is Dialect.ZEBRA else _ZALLET:
        methods.update(module.methods)
    methods.update(discoverable(methods, title=dialect.value))
    return methods


def _zcashd_methods(is_wanted: Callable[[str], bool]) -> Registry:
    chosen = Registry()
    chosen.update({name: method for name, method in zcashd_methods().items() if is_wanted(name)})
    return chosen
