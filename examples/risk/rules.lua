-- What is odd about a payment, by what its card has done in its minute: state holds {begin of the minute, payments, cents, last country}.
local MINUTE = 60000

function process(payment)
  local key = tostring(payment.card)
  local card = state[key] or {payment.ms, 0, 0, payment.country}
  local reasons = array {}

  if payment.ms - card[1] >= MINUTE then
    card[1], card[2], card[3] = payment.ms, 0, 0
  end
  card[2] = card[2] + 1
  card[3] = card[3] + payment.cents
  if payment.cents > 248000 then reasons[#reasons + 1] = "large" end
  if card[2] == 31 then reasons[#reasons + 1] = "often" end
  if card[3] > 3000000 and card[3] - payment.cents <= 3000000 then reasons[#reasons + 1] = "much" end
  if payment.country ~= card[4] then reasons[#reasons + 1] = "moved" end
  card[4] = payment.country
  state[key] = card
  if #reasons > 0 then
    return {n = payment.n, card = payment.card, reasons = reasons}
  end
end
