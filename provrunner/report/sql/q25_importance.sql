-- question: Which share of the variance has each hyperparameter and interaction, and which the noise?
-- empty: no share can be told of these runs
select component, kind, share, low, high, p_holm, significant, effect, effect_low, effect_high,
       effect_sigma, n_runs
from sensitivity
order by kind in ('seed', 'noise', 'unresolved'), share desc, component
