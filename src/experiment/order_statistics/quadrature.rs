//! Adaptive integration by the Gauss-Kronrod rule of 7 and 15 points.

/// The most halvings of an interval: to less than 10^-12 of its width.
const DEPTH: u32 = 40;

/// The most panels of an interval. Integrable functions need fewer; it ends the integration of
/// noise.
const PANELS: u32 = 300;

/// The nodes on one side of the centre, from the end inwards, and Kronrod's weights; from
/// QUADPACK's `qk15`.
#[expect(clippy::excessive_precision, reason = "as published")]
const KRONROD: [(f64, f64); 7] = [
    (0.991_455_371_120_812_639_2, 0.022_935_322_010_529_224_96),
    (0.949_107_912_342_758_524_5, 0.063_092_092_629_978_553_29),
    (0.864_864_423_359_769_072_8, 0.104_790_010_322_250_183_84),
    (0.741_531_185_599_394_439_9, 0.140_653_259_715_525_918_75),
    (0.586_087_235_467_691_130_3, 0.169_004_726_639_267_902_83),
    (0.405_845_151_377_397_166_9, 0.190_350_578_064_785_409_91),
    (0.207_784_955_007_898_467_6, 0.204_432_940_075_298_892_41),
];

/// Kronrod's weight of the centre.
#[expect(clippy::excessive_precision, reason = "as published")]
const CENTRE: f64 = 0.209_482_141_084_727_828_01;

/// Gauss's weights of every second node and of the centre.
#[expect(clippy::excessive_precision, reason = "as published")]
const GAUSS: [f64; 4] = [
    0.129_484_966_168_869_693_27,
    0.279_705_391_489_276_667_90,
    0.381_830_050_505_118_944_95,
    0.417_959_183_673_469_387_76,
];

/// The integral of `f` from `low` to `high` in one panel, and a pessimistic bound of its error.
fn panel<const N: usize>(
    f: &impl Fn(f64) -> [f64; N],
    low: f64,
    high: f64,
) -> ([f64; N], [f64; N]) {
    let (middle, half) = (low.midpoint(high), (high - low) / 2.0);
    let centre = f(middle);
    let (mut fine, mut coarse) = (centre.map(|y| y * CENTRE), centre.map(|y| y * GAUSS[3]));
    for (place, (node, weight)) in KRONROD.iter().enumerate() {
        let (left, right) = (f(middle - half * node), f(middle + half * node));
        for part in 0..N {
            let both = left[part] + right[part];
            fine[part] += weight * both;
            if place % 2 == 1 {
                coarse[part] += GAUSS[place / 2] * both;
            }
        }
    }
    let error = std::array::from_fn(|part| ((fine[part] - coarse[part]) * half).abs());
    (fine.map(|sum| sum * half), error)
}

/// The integrals of the parts of `f` from `low` to `high`. The error of each is about `tolerance`
/// times the greater of itself and its `floor`, and mostly far smaller.
///
/// `f` must be finite, and smooth except at finitely many places. A step is found if a node lies
/// beyond it.
pub(super) fn integrate<const N: usize>(
    f: &impl Fn(f64) -> [f64; N],
    low: f64,
    high: f64,
    floor: [f64; N],
    tolerance: f64,
) -> [f64; N] {
    let mut total = [0.0; N];
    if low >= high {
        return total;
    }
    let first = panel(f, low, high);
    let allowed: [f64; N] =
        std::array::from_fn(|part| tolerance * floor[part].max(first.0[part].abs()));
    let mut open = vec![(low, high, first, 0)];
    let mut panels = 0;
    while let Some((low, high, (sum, error), depth)) = open.pop() {
        let middle = low.midpoint(high);
        let fine = (0..N).all(|part| error[part] <= allowed[part]);
        panels += 1;
        if fine || depth == DEPTH || panels > PANELS || middle <= low || middle >= high {
            for part in 0..N {
                total[part] += sum[part];
            }
        } else {
            open.push((middle, high, panel(f, middle, high), depth + 1));
            open.push((low, middle, panel(f, low, middle), depth + 1));
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
        integrate(&|x| [f(x)], low, high, [0.0], 1e-9)[0]
    }

    #[test]
    fn polynomials_are_exact_to_the_degree_of_the_rule() {
        let power = |x: f64| libm::pow(x, 22.0);
        let (sum, _) = panel(&|x| [power(x)], -1.0, 1.0);
        assert!((sum[0] - 2.0 / 23.0).abs() < 1e-15, "{}", sum[0]);
        assert!((one(|_| 3.0, 2.0, 7.0) - 15.0).abs() < 1e-13);
        assert_eq!(one(|x| x, 5.0, 5.0), 0.0);
    }

    #[test]
    fn kinks_steps_and_peaks_are_found() {
        let near = |found: f64, expected: f64| assert!((found / expected - 1.0).abs() < 1e-8);
        near(one(|x| (x - 0.3).abs(), 0.0, 1.0), 0.29);
        near(one(|x| if x < 0.3 { 1.0 } else { 0.0 }, 0.0, 1.0), 0.3);
        near(one(|x| libm::exp(-x * 1e4), 0.0, 1.0), 1e-4);
        near(one(libm::sqrt, 0.0, 1.0), 2.0 / 3.0);
    }
}
