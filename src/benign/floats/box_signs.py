"""What models of h, ∇h and ∇²h show of whole boxes: slope, curvature, convexity, one zero of ∇h.

Every function looks at many boxes at once and answers for each. Directions to test along come from
floating point and are taken as the exact numbers they are; whatever they are, what is shown holds.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benign.floats.along import orders
from benign.floats.boxes import Adapted
from benign.floats.taylor import GROWN, TINY, UNIT, Floats, Model, combine


def inside(at: Adapted) -> NDArray[np.bool_]:
    """Whether a whole box is in the domain of h, (boxes,)."""
    return np.all(at.along & (at.signs > 0), axis=0)


def dense(pairs: Floats, p: int) -> Floats:
    """(boxes, p, p) from the pairs j ≤ l, (pairs, boxes)."""
    found = np.empty((pairs.shape[1], p, p))
    for a, (j, k) in enumerate(orders(p, 2)):
        found[:, j, k] = found[:, k, j] = pairs[a]
    return found


def form_bounds(hessian: Model, v: Floats, w: Floats) -> tuple[Floats, Floats]:
    """Bounds of v'∇²h w, for v, w (p, boxes)."""
    weights, sizes = [], []
    for j, k in orders(hessian.basis.p, 2):
        if j == k:
            weights.append(v[j] * w[j])
            sizes.append(np.abs(weights[-1]))
        else:
            weights.append(v[j] * w[k] + v[k] * w[j])
            sizes.append(np.abs(v[j] * w[k]) + np.abs(v[k] * w[j]))
    with np.errstate(all="ignore"):
        form = combine(hessian, np.array(weights))
        # A weight errs by at most 2u of its terms' sizes (one product and one sum are rounded on the
        # way of each), which may be far more than itself; 4u cover what the sizes err by as well, and
        # TINY a weight that underflows.
        reach = np.abs(hessian.c).sum(axis=0) + hessian.e
        error = 4.0 * UNIT * ((np.array(sizes) + TINY) * reach).sum(axis=0) * GROWN
        return Model(form.basis, form.c, (form.e + error) * GROWN).bounds()


def _eigenvectors(hessian: Model) -> Floats:
    """Those at the centres, (boxes, p, p), smallest eigenvalue first."""
    p = hessian.basis.p
    middle = dense(hessian.c[0], p)
    known = np.all(np.isfinite(middle), axis=(1, 2))
    return np.linalg.eigh(np.where(known[:, None, None], middle, np.eye(p)))[1]


def convex(inside: NDArray[np.bool_], hessian: Model) -> NDArray[np.bool_]:
    """∇²h ≻ 0 all over a box in the domain: Gershgorin's discs of V'∇²hV, V ≈ eigenvectors.

    V'∇²hV ≻ 0 shows that V is regular, and so ∇²h ≻ 0 (Sylvester).
    """
    p, V = hessian.basis.p, _eigenvectors(hessian)
    entries = {
        (a, b): form_bounds(hessian, V[:, :, a].T, V[:, :, b].T) for a in range(p) for b in range(a, p)
    }
    good = inside
    for a in range(p):
        others = np.zeros(good.shape)
        for b in range(p):
            if b != a:
                low, high = entries[min(a, b), max(a, b)]
                others = others + np.maximum(np.abs(low), np.abs(high))
        good = good & (entries[a, a][0] > others * GROWN)
    return good


def falls(hessian: Model) -> NDArray[np.bool_]:
    """v'∇²h v < 0 all over a box, v the eigenvector of the smallest eigenvalue at the centre."""
    v = _eigenvectors(hessian)[:, :, 0].T
    return form_bounds(hessian, v, v)[1] < 0


def krawczyk(gradient: Model, hessian: Model, r: Floats) -> Floats:
    """(p, boxes): if < r, the box y ± r holds one zero of ∇h, within y ± this.

    K = −Y∇h(y) + (I − Y∇²h(box))(box − y), Y an approximate inverse.
    """
    p = hessian.basis.p
    with np.errstate(all="ignore"):
        middle = dense(hessian.c[0], p)
        known = np.all(np.isfinite(middle), axis=(1, 2))
        middle = np.where(known[:, None, None], middle, np.eye(p))
        Y = _inverse(middle)
        low, high = (dense(x, p) for x in hessian.bounds())
        centre = gradient.c[0].T
        # ∇h(y) is within c₀ ± e of its model. A sum of p products errs by (p + 1)u of the sum of their
        # sizes, I − Y∇²h(y) by one rounding more; what underflows is less than TINY. All that follows
        # are sums of non-negative floats: some 5p + 5 roundings on the way of each, which GROWN covers.
        moved = np.abs(np.einsum("bij,bj->bi", Y, centre))
        size = np.abs(Y)
        error = gradient.e.T + UNIT * (p + 1) * np.abs(centre) + TINY
        moved = moved + np.einsum("bij,bj->bi", size, error)
        residual = np.abs(np.eye(p) - Y @ middle)
        residual = residual + UNIT * (p + 2) * (size @ np.abs(middle) + np.eye(p))
        residual = residual + size @ (np.maximum(high - middle, middle - low) + TINY)
        reach = (moved + np.einsum("bij,bj->bi", residual, r.T) + TINY) * GROWN
        return np.where(np.isfinite(reach) & known[:, None], reach, np.inf).T


def _inverse(matrices: Floats) -> Floats:
    """Approximate inverses; of singular ones something else, along which nothing will be shown."""
    try:
        return np.asarray(np.linalg.inv(matrices), np.float64)
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.pinv(matrices), np.float64)


def slopes(gradient: Model) -> NDArray[np.bool_]:
    """∇h ≠ 0 all over a box: some combination u'∇h is bounded away from zero.

    u runs over the axes, the gradient at the centre, and the rows of the inverse of the linear
    part, which makes u'∇h nearly u'∇h(y) + x_i.
    """
    p = gradient.basis.p
    with np.errstate(all="ignore"):
        low, high = gradient.bounds()
        found = np.any((low > 0) | (high < 0), axis=0)
        left = np.flatnonzero(~found & np.isfinite(gradient.e).all(axis=0))
        if len(left) == 0:
            return found
        part = gradient[:, left]
        linear = np.moveaxis(part.c[1 : 1 + p], 2, 0).swapaxes(1, 2)  # [box, i, axis]
        scale = np.abs(linear).max(axis=(1, 2))[:, None, None]
        # A little of the identity, so that a singular one has an inverse: any direction may be tried.
        inverse = _inverse(linear + (1e-13 * scale + TINY) * np.eye(p))
        directions = [inverse[:, i, :].T for i in range(p)]
        directions.append(part.c[0])
        hit = np.zeros(len(left), bool)
        for u in directions:
            low, high = combine(part, u).bounds()
            hit |= (low > 0) | (high < 0)
        found[left[hit]] = True
        return found
