"""Tools of a small shop, one of each effect class. Functions with @tool become tools; change them at will.

A step may be tried again: its worker was killed, or Redis forgot it. The effect class says what that does.
`context.step_id` is the same in every try; hand it on as idempotency key wherever one is taken.
"""

import asyncio
import json
from pathlib import Path

from pydantic import BaseModel, Field

from maestro.tools import CannotTell, Reconciled, ToolContext, ToolError, WasDone, WasNotDone, tool

HERE = Path(__file__).parent
CENTS = {"tea": 250, "coffee": 390, "cocoa": 320}
ORDERS = HERE / "orders.jsonl"
WISHES = HERE / "wishes"
LETTERS = HERE / "letters.txt"


class Product(BaseModel):
    """What the model fills in; descriptions and limits are what it is told."""

    product: str = Field(description="Name of the product, for example tea.")


class Order(Product):
    """A product and how many of it."""

    pieces: int = Field(default=1, ge=1, le=100, description="How many.")


class Letter(BaseModel):
    """A letter to a customer."""

    text: str = Field(min_length=1, max_length=2_000)


@tool(effect="pure")
async def price_of(arguments: Product, _context: ToolContext) -> dict[str, object]:
    """Return what one piece of a product costs, in cents."""
    # pure: there is no effect, so it is simply done again.
    return {"product": arguments.product.lower(), "cents": _cents(arguments.product)}


@tool(effect="idempotent")
async def note_wish(arguments: Product, context: ToolContext) -> dict[str, object]:
    """Note that a customer wishes for a product that the shop does not have."""
    # idempotent: the same step writes the same file, so twice is as once.
    await asyncio.to_thread(_write_wish, context.step_id, arguments.product)
    return {"noted": arguments.product}


async def look_for_order(_arguments: Order, context: ToolContext) -> Reconciled:
    """Answer what became of an earlier try of `place_order`."""
    try:
        found = await asyncio.to_thread(_order_of, context.step_id)
    except OSError as error:
        return CannotTell(f"the book of orders cannot be read ({type(error).__name__})")
    return WasNotDone() if found is None else WasDone(found)


@tool(effect="reconcile", reconcile=look_for_order, time_limit_s=10)
async def place_order(arguments: Order, context: ToolContext) -> dict[str, object]:
    """Order pieces of a product for the customer."""
    # reconcile: before a step is taken over that may have been started, look_for_order is asked.
    cents = arguments.pieces * _cents(arguments.product)
    order: dict[str, object] = {
        "product": arguments.product.lower(),
        "pieces": arguments.pieces,
        "cents": cents,
    }
    await asyncio.to_thread(_append, ORDERS, json.dumps({"step_id": context.step_id, **order}))
    return order


@tool(effect="once", approval="always")
async def send_letter(arguments: Letter, _context: ToolContext) -> str:
    """Send a letter to the customer. It cannot be taken back."""
    # once: never started a second time by itself. approval: a person is asked first, see agents.yaml.
    await asyncio.to_thread(_append, LETTERS, arguments.text)
    return "sent"


def _cents(product: str) -> int:
    try:
        return CENTS[product.lower()]
    except KeyError:
        message = f"there is no {product}; there are {', '.join(sorted(CENTS))}"
        raise ToolError(message) from None


def _append(path: Path, line: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def _order_of(step_id: str) -> dict[str, object] | None:
    if not ORDERS.exists():
        return None
    for line in ORDERS.read_text(encoding="utf-8").splitlines():
        order: dict[str, object] = json.loads(line)
        if order.pop("step_id") == step_id:
            return order
    return None


def _write_wish(step_id: str, product: str) -> None:
    WISHES.mkdir(exist_ok=True)
    (WISHES / f"{step_id}.txt").write_text(product, encoding="utf-8")
