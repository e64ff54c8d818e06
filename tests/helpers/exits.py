"""Networks with exits, and with a head for each option."""

from __future__ import annotations

EXITS = """
supernet net {
  input image(3, 8, 8); classes 10
  norm batch
  stem { conv(8, kernel=3) }
  exit e0 { norm; relu; pool(avg); linear(classes) }
  stage s1 { conv(8, kernel=3); norm; relu; exit e1 { pool(avg); linear(classes) }; residual { conv(8, kernel=3) } }
  stage s2 { conv(16, kernel=3, stride=2); skippable { conv(16, kernel=3) } }
  exit e2 { pool(avg); linear(classes) }
  stage s3 { conv(16, kernel=3) }
  head { pool(avg); linear(classes) }
}
"""

BY_K = """
choice k in 1..3
supernet net {
  input image(3, 8, 8); classes 10
  norm batch
  stem { conv(4 * k, kernel=3) }
  head by k { norm(bank=k); relu; pool(avg); when k == 3 { linear(20); relu }; linear(classes) }
}
"""
