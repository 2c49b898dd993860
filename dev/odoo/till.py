"""What a till of the point of sale sends, in the form that each series takes.

Plain Python: it runs in Odoo, for the tests and the benchmark, and imports none of it.
"""

# mypy: ignore-errors
import uuid


def ring_up(
    orders,
    point,
    lines,
    *,
    customer_id=False,
    at,
    payments=None,
    refunded=(),
    settled=None,
    **values,
):
    """Send a paid order as the till's JavaScript does; return its id.

    :param orders: ``pos.order``, as the cashier's user
    :param point: the ``pos.config``, whose session is open
    :param lines: tuples of a product, a quantity, a price, and maybe a tax
    :param at: when it was sold, as Odoo writes times
    :param payments: pairs of a payment method and an amount; None: all by the first
    :param refunded: the lines that are given back, in the order of ``lines``
    :param settled: the sales order that is paid for
    :param values: of the order, in place of what a till says otherwise
    """
    before_18 = hasattr(orders, "create_from_ui")
    no_tax = orders.env["account.tax"]
    total = untaxed = 0
    commands = []
    for number, (product, quantity, price, *taxes) in enumerate(lines):
        tax = taxes[0] if taxes else no_tax
        amounts = tax.compute_all(price, point.currency_id, quantity, product=product)
        total += amounts["total_included"]
        untaxed += amounts["total_excluded"]
        line = {
            "product_id": product.id,
            "qty": quantity,
            "price_unit": price,
            "discount": 0,
            "tax_ids": [(6, 0, tax.ids)],
            "pack_lot_ids": [],
            "price_subtotal": amounts["total_excluded"],
            "price_subtotal_incl": amounts["total_included"],
        }
        if refunded:
            line["refunded_orderline_id"] = refunded[number].id
        if settled and before_18:
            line["sale_order_origin_id"] = {"id": settled.id}
            line["down_payment_details"] = False
        elif settled:
            line["sale_order_origin_id"] = settled.id
        commands.append((0, 0, line))
    if payments is None:
        payments = [(point.payment_method_ids[0], total)]
    paid = [
        (0, 0, {"amount": amount, "name": at, "payment_method_id": method.id})
        for method, amount in payments
    ]
    own_id = str(uuid.uuid4())
    reference = f"Order {int(own_id[:4], 16):05}-{int(own_id[4:6], 16):03}-0001"
    order = {
        "amount_paid": sum(amount for _method, amount in payments),
        "amount_return": 0,
        "amount_tax": total - untaxed,
        "amount_total": total,
        "date_order": at,
        "fiscal_position_id": False,
        "pricelist_id": point.pricelist_id.id,
        "lines": commands,
        "name": reference,
        "partner_id": customer_id,
        "sequence_number": 2,
        "user_id": orders.env.uid,
        "to_invoice": False,
        **values,
    }
    session_id = point.current_session_id.id
    if before_18:
        order |= {"pos_session_id": session_id, "statement_ids": paid, "uid": reference}
        till = {"data": order, "id": reference, "to_invoice": order["to_invoice"]}
        return orders.create_from_ui([till])[0]["id"]
    order |= {"session_id": session_id, "payment_ids": paid, "state": "paid"}
    order |= {"pos_reference": reference, "uuid": own_id, "access_token": ""}
    order["last_order_preparation_change"] = "{}"
    if refunded and "is_refund" in orders._fields:
        order["is_refund"] = True
    orders.sync_from_ui([order])
    return orders.search([("uuid", "=", own_id)]).id


def open_session(point):
    """Open the session of a ``pos.config``, as the cashier does."""
    point.open_ui()
    session = point.current_session_id
    if session.state == "opening_control":
        # Odoo 18 has another name for it.
        begin = getattr(session, "set_opening_control", None)
        (begin or session.set_cashbox_pos)(0, "")
