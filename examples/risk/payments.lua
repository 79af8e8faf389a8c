-- Makes the n-th payment up: always the same one, so that what comes of it can be computed by somebody else (expected.awk).
local countries = {"de", "no", "it", "jp"}

function process(item)
  local n = item.n
  local h = n * 2654435761 % 4294967296
  local card = h % 20 == 0 and h // 20 % 50 or 50 + h % 49950 -- fifty cards make a twentieth of all payments
  local root = h // 50000 % 500
  local away = h // 7 % 100 >= 97
  return {
    n = n,
    ms = n * 1000 // 23148, -- since the first one
    card = card,
    cents = root * root,
    country = countries[(card + (away and 1 or 0)) % #countries + 1],
  }
end
