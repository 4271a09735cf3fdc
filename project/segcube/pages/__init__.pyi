from .pictures import Column as Column
from .pictures import add_legend as add_legend
from .pictures import draw_case as draw_case
from .pictures import draw_folder as draw_folder
from .pictures import draw_section as draw_section
from .pictures import label_colours as label_colours
from .pictures import largest_section as largest_section
from .views import plan_view as plan_view
