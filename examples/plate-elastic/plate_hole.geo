// Quarter of a plate with a hole: 1 mm × 1 mm, hole radius 0.3 mm, 240 quadrilaterals graded towards the hole.
// gmsh plate_hole.geo -2 -format msh41 -o plate_hole.msh
L = 1.0; R = 0.3; na = 10; nr = 12; s = Sqrt(2) / 2;
Point(1) = {0, 0, 0};
Point(2) = {R, 0, 0};  Point(3) = {L, 0, 0};
Point(4) = {R * s, R * s, 0};  Point(5) = {L, L, 0};
Point(6) = {0, R, 0};  Point(7) = {0, L, 0};
Line(1) = {2, 3};  Line(2) = {3, 5};  Line(3) = {5, 7};  Line(4) = {7, 6};
Circle(5) = {6, 1, 4};  Circle(6) = {4, 1, 2};  Line(7) = {4, 5};
Curve Loop(1) = {1, 2, -7, 6};  Plane Surface(1) = {1};
Curve Loop(2) = {7, 3, 4, 5};   Plane Surface(2) = {2};
Transfinite Curve{2, 3, 5, 6} = na + 1;
Transfinite Curve{1, 7, -4} = nr + 1 Using Progression 1.1;
Transfinite Surface{1, 2};
Recombine Surface{1, 2};
Physical Curve("bottom", 11) = {1};
Physical Curve("right", 12) = {2};
Physical Curve("top", 13) = {3};
Physical Curve("left", 14) = {4};
Physical Curve("hole", 15) = {5, 6};
Physical Surface("plate", 1) = {1, 2};
