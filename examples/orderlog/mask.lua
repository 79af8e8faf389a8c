-- Leaves of a person what the sums need and nothing else: who it was can't be told any more behind this stage.
function process(order)
  order.user = order.user:gsub("^(.)[^@]*", "%1***")
  order.card = order.card:gsub("%d", "*", math.max(#order.card - 4, 0))
  return order
end
